/** What a customer may order, and what they get. Both are plain JSON and parse to themselves: no schema here transforms. */
import { z } from 'zod'

/** West, south, east and north edge in degrees. West may be greater than east: such a box crosses the antimeridian. */
export type BoundingBox = [west: number, south: number, east: number, north: number]

/** Sheets that need no measures, and any other size in millimetres, 60 to 2000 a side and at most four times as long as wide. */
export type Paper = 'A5' | 'A4' | 'A3' | 'A2' | 'A1' | 'letter' | { widthMm: number; heightMm: number }

/** How the round earth is laid flat. */
export type ProjectionName =
  | 'mercator'
  | 'transverse-mercator'
  | 'equal-earth'
  | 'conic-equal-area'
  | 'azimuthal-equal-area'

/** An order with every choice made. */
export interface MapRequest {
  /** ISO 3166-1 alpha-2, alpha-3 or numeric code of a country, in either case, or a box in degrees. */
  region: string | BoundingBox
  /** Default A4. */
  paper: Paper
  /** Default `auto`: as the region lies; a size in millimetres is then taken as it is given. */
  orientation: 'auto' | 'portrait' | 'landscape'
  /** Pixels an inch, 72 to 600, default 300. */
  dpi: number
  /** Default `auto`: by the extent and the latitude of the region. */
  projection: 'auto' | ProjectionName
  /** At most 60 characters of Latin, Greek or Cyrillic. Default: the name of the country, or the corners of the box. */
  title?: string
}

/** An order as it may be written: only the region is needed. */
export type MapOrder = Pick<MapRequest, 'region' | 'title'> & {
  [Choice in Exclude<keyof MapRequest, 'region' | 'title'>]?: MapRequest[Choice] | undefined
}

/** What the finished map says of itself. */
export interface MapDescription {
  /** The name of the country, or the corners of the box. */
  region: string
  projection: ProjectionName
  /** On the printed page, such as `1 : 4 500 000`; exact at the centre of the map. */
  scale: string
  widthPx: number
  heightPx: number
  /** Names of the countries of which something is drawn, in alphabetical order. */
  countries: string[]
}

/** The picture that was made. */
export interface MapFile extends MapDescription {
  /** Where the picture is kept, and whatever else its keeper says of it. */
  file: { name: string; sizeBytes: number; sha256: string; [fact: string]: Json }
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

const longitude = z.number().min(-180).max(180)
const latitude = z.number().min(-90).max(90)
const text = z.string().min(1)
const count = z.int().positive()

/** Not only spaces, and nothing that would be printed as an empty box. */
const PRINTABLE = /^(?=.*\S)[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{M}\p{N}\p{P}\p{Zs}]+$/u

const projectionNames = [
  'mercator',
  'transverse-mercator',
  'equal-earth',
  'conic-equal-area',
  'azimuthal-equal-area',
] as const

/** The schema of an order. Sizes that can't be printed pass it: they are refused with a reason when the region is loaded. */
export const MapRequest: z.ZodType<MapRequest, MapOrder> = z.strictObject({
  region: z.union([
    z.string().regex(/^([A-Za-z]{2,3}|\d{3})$/, 'expected an ISO 3166-1 code such as FR, FRA or 250'),
    z.tuple([longitude, latitude, longitude, latitude]),
  ]),
  paper: z
    .union([
      z.enum(['A5', 'A4', 'A3', 'A2', 'A1', 'letter']),
      z.strictObject({ widthMm: z.number(), heightMm: z.number() }),
    ])
    .default('A4'),
  orientation: z.enum(['auto', 'portrait', 'landscape']).default('auto'),
  dpi: z.int().min(72).max(600).default(300),
  projection: z.enum(['auto', ...projectionNames]).default('auto'),
  title: z
    .string()
    .max(60)
    .regex(PRINTABLE, 'expected letters that the typeface has: Latin, Greek or Cyrillic')
    .exactOptional(),
})

/** The schema of the finished file. */
export const MapFile: z.ZodType<MapFile> = z.strictObject({
  region: text,
  projection: z.enum(projectionNames),
  scale: z.string().regex(/^1 : \d/),
  widthPx: count,
  heightPx: count,
  countries: z.array(text),
  file: z.object({ name: text, sizeBytes: count, sha256: z.string().regex(/^[0-9a-f]{64}$/) }).catchall(z.json()),
})
