import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { describeMap } from '../../examples/map-export/describe-map.ts'
import { textWidth } from '../../examples/map-export/lettering.ts'
import { loadRegion } from '../../examples/map-export/load-region.ts'
import type { Label } from '../../examples/map-export/map-plan.ts'
import { MapRequest, type MapOrder } from '../../examples/map-export/map-request.ts'
import { millimetres } from '../../examples/map-export/paper.ts'
import { projectRegion } from '../../examples/map-export/project-region.ts'
import { linesOf, sidesOf, work } from './map-orders.ts'

describe('the plan of a map', () => {
  const orders: MapOrder[] = [
    { region: 'FRA' },
    { region: 'NOR', paper: 'A1', dpi: 100 },
    { region: 'CHL' },
    { region: 'USA' },
    { region: 'RUS', paper: 'A2', dpi: 100 },
    { region: 'JPN' },
    { region: 'IDN', paper: 'A1', dpi: 100 },
    { region: 'CAN' },
    { region: 'ATA' },
    { region: 'VAT', paper: 'A5' },
    { region: [-10, 35, 30, 60] },
    { region: [-180, -90, 180, 90], paper: 'A1', dpi: 100 },
    { region: [-180, -90, 180, 90], projection: 'transverse-mercator' },
  ]
  for (const order of orders) {
    test(`of ${JSON.stringify(order)} fits into 256 KB of JSON and has its country in sight`, () => {
      const { plan, outlines, planBytes } = work(order)
      assert.ok(planBytes <= 256 * 1024, `${planBytes} bytes`)
      assert.doesNotMatch(JSON.stringify(plan), /NaN|null,null|e-\d/)
      const focus = plan.countries.filter(({ role }) => role === 'focus')
      assert.equal(focus.length, outlines.focus === null ? 0 : 1)
      assert.ok(plan.countries.every(({ path }) => path.startsWith('M')))
    })
  }

  test('reports progress that never falls, from the first countries to 1', () => {
    const request = MapRequest.parse({ region: 'FRA' })
    const told: number[] = []
    projectRegion(loadRegion(request), request, (share) => told.push(share))
    assert.ok(told.length > 20)
    assert.ok((told[0] ?? 1) < 0.1)
    assert.equal(told.at(-1), 1)
    assert.deepEqual(
      told,
      told.toSorted((a, b) => a - b),
    )
  })

  test('is the same each time', () => {
    assert.deepEqual(work({ region: 'FJI' }), work({ region: 'FJI' }))
  })

  test('has a scale of two figures that its scale bar keeps to', () => {
    for (const region of ['FRA', 'LUX', 'RUS']) {
      const { scale, scaleBar } = work({ region }).plan
      assert.match(scale, /^1 : \d{2,3}[ 0]*$|^1 : \d \d{1,2}0[ 0]*$/)
      const denominator = Number(scale.slice(4).replaceAll(' ', ''))
      const km = (millimetres(scaleBar.segmentWidth) * denominator) / 1e6
      assert.ok(Math.abs(km - scaleBar.segmentKm) < scaleBar.segmentKm * 0.001, `${km} of ${scaleBar.segmentKm} km`)
    }
  })

  test('shows the United Kingdom in its true size at that scale', () => {
    const { plan } = work({ region: 'GBR' })
    const land = linesOf(plan.countries.find(({ role }) => role === 'focus')?.path ?? '')
    const { top, bottom } = sidesOf(land.reduce((longest, line) => (line.length > longest.length ? line : longest)))
    // Great Britain reaches from 49.96° to 58.67° north: 969 km.
    const km = (millimetres(bottom - top) * Number(plan.scale.slice(4).replaceAll(' ', ''))) / 1e6
    assert.ok(Math.abs(km - 969) < 15, `${km} km`)
  })

  test('names the region and every country that is drawn', () => {
    const { plan } = work({ region: 'LUX', title: 'Grand Duchy', paper: 'A5', dpi: 100 })
    assert.deepEqual(describeMap(plan), {
      region: 'Luxembourg',
      projection: plan.projection,
      scale: plan.scale,
      widthPx: 583,
      heightPx: 827,
      countries: ['Belgium', 'France', 'Germany', 'Luxembourg'],
    })
    assert.equal(plan.title, 'Grand Duchy')
  })
})

describe('countries at the antimeridian', () => {
  for (const region of ['FJI', 'NZL', 'RUS', 'KIR']) {
    test(`fill the page whole: ${region}`, () => {
      const { plan } = work({ region })
      const { map } = plan
      const lines = linesOf(plan.countries.find(({ role }) => role === 'focus')?.path ?? '')
      const largest = lines.toSorted((a, b) => areaOf(b) - areaOf(a))[0] ?? []
      const { left, right, top, bottom } = sidesOf(largest)
      assert.ok(left >= map.x && right <= map.x + map.width, 'between the sides')
      assert.ok(top >= map.y && bottom <= map.y + map.height, 'between top and bottom')
      assert.ok(right - left > map.width * 0.25 || bottom - top > map.height * 0.25, 'large enough')
    })
  }

  test('are not cut by a line where the atlas cuts them', () => {
    const { plan } = work({ region: 'FJI' })
    const lines = linesOf(plan.countries.find(({ role }) => role === 'focus')?.path ?? '')
    const meridian = plan.ticks.bottom.find(({ text }) => text === '180°')?.at ?? Number.NaN
    const cuts = lines.flatMap((line) =>
      line.filter(([x, y], index) => {
        const [lastX, lastY] = line.at(index - 1) ?? [x, y]
        return Math.abs(x - meridian) < 6 && Math.abs(x - lastX) < 0.5 && Math.abs(y - lastY) > 8
      }),
    )
    assert.deepEqual(cuts, [])
  })
})

describe('labels', () => {
  const crowded: Record<string, MapRequest['region']> = {
    Europe: [-10, 35, 30, 60],
    'the Caribbean': [-90, 8, -58, 28],
    'the world': [-180, -90, 180, 90],
  }
  for (const [where, region] of Object.entries(crowded)) {
    test(`stand within the map and never over one another, however crowded it is: ${where}`, () => {
      const { labels, map } = work({ region }).plan
      const level = labels.filter(({ angle }) => angle === 0).map((label) => ({ label, box: boxOf(label) }))
      assert.ok(level.length > 30)
      for (const [index, { label, box }] of level.entries()) {
        assert.ok(box.left >= map.x && box.right <= map.x + map.width, label.lines.join(' '))
        const touched = level.slice(index + 1).filter((other) => isTouching(box, other.box))
        assert.deepEqual(
          touched.map((other) => [label.lines, other.label.lines]),
          [],
        )
      }
    })
  }

  test('name the country that was asked for, and its seas', () => {
    const { labels } = work({ region: 'ITA' }).plan
    const named = (kind: Label['kind']): string[] =>
      labels.filter((label) => label.kind === kind).map(({ lines }) => lines.join(' '))
    assert.deepEqual(named('focus'), ['ITALY'])
    assert.ok(named('sea').includes('Adriatic Sea'))
    assert.ok(named('country').includes('SWITZERLAND'))
  })
})

function areaOf(points: readonly (readonly [number, number])[]): number {
  const { left, right, top, bottom } = sidesOf(points)
  return (right - left) * (bottom - top)
}

interface Box {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

function boxOf({ kind, lines, x, y, size, spacing }: Label): Box {
  const style = kind === 'sea' ? 'italic' : 'upright'
  const half = Math.max(...lines.map((line) => textWidth(line, style, size, spacing))) / 2
  const tall = ((lines.length - 1) * 1.2 + 0.7) * size
  return { left: x - half, right: x + half, top: y - tall / 2, bottom: y + tall / 2 }
}

function isTouching(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
}
