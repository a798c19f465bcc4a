import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { MapFile, MapRequest } from '../../examples/map-export/map-request.ts'

describe('a map request', () => {
  test('needs only a region', () => {
    assert.deepEqual(MapRequest.parse({ region: 'FRA' }), {
      region: 'FRA',
      paper: 'A4',
      orientation: 'auto',
      dpi: 300,
      projection: 'auto',
    })
  })

  test('parses to itself once it is complete, so that parsing it again changes nothing', () => {
    const requests = [
      { region: 'fr' },
      { region: '250', title: 'Carte de France', paper: 'letter' as const },
      { region: [170, -50, -170, -10] as [number, number, number, number], paper: { widthMm: 300, heightMm: 200 } },
    ]
    for (const request of requests) {
      const once = MapRequest.parse(request)
      assert.deepEqual(MapRequest.parse(JSON.parse(JSON.stringify(once))), once)
    }
  })

  const refused: Record<string, object> = {
    'no region': {},
    'a name instead of a code': { region: 'France' },
    'a number with two digits': { region: '25' },
    'a box of three numbers': { region: [1, 2, 3] },
    'a latitude beyond the pole': { region: [0, -91, 10, 0] },
    'a longitude beyond the antimeridian': { region: [0, 0, 190, 10] },
    'an unknown paper': { region: 'FRA', paper: 'A0' },
    'a paper with one measure': { region: 'FRA', paper: { widthMm: 200 } },
    'a resolution below 72 dpi': { region: 'FRA', dpi: 71 },
    'a resolution above 600 dpi': { region: 'FRA', dpi: 601 },
    'a resolution that is not whole': { region: 'FRA', dpi: 72.5 },
    'an unknown projection': { region: 'FRA', projection: 'gall-peters' },
    'an empty title': { region: 'FRA', title: '' },
    'a title of spaces': { region: 'FRA', title: '  ' },
    'a title that the typeface does not have': { region: 'JPN', title: '日本' },
    'a title of 61 characters': { region: 'FRA', title: 'x'.repeat(61) },
    'a title that is undefined, which JSON does not have': { region: 'FRA', title: undefined },
    'a misspelt choice': { region: 'FRA', titel: 'France' },
  }
  for (const [what, request] of Object.entries(refused)) {
    test(`is refused with ${what}`, () => {
      assert.equal(MapRequest.safeParse(request).success, false)
    })
  }
})

describe('a map file', () => {
  const file = {
    region: 'France',
    projection: 'conic-equal-area',
    scale: '1 : 7 000 000',
    widthPx: 2480,
    heightPx: 3508,
    countries: ['Belgium', 'France'],
    file: { name: 'france.png', sizeBytes: 1_600_000, sha256: 'a'.repeat(64) },
  }

  test('keeps whatever the keeper of the file says of it', () => {
    const kept = { ...file, file: { ...file.file, artifactId: '019b7613', expiresAt: null } }
    assert.deepEqual(MapFile.parse(kept), kept)
  })

  test('is refused without a hash, or with facts that are not JSON', () => {
    assert.equal(MapFile.safeParse({ ...file, file: { name: 'france.png', sizeBytes: 1 } }).success, false)
    assert.equal(MapFile.safeParse({ ...file, file: { ...file.file, at: new Date(0) } }).success, false)
  })
})
