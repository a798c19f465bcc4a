import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { joinedAcrossAntimeridian } from '../../examples/map-export/antimeridian.ts'
import { findCountry, openAtlas } from '../../examples/map-export/atlas.ts'
import { countries, countryByCode, UnknownRegionError } from '../../examples/map-export/countries.ts'
import { loadRegion } from '../../examples/map-export/load-region.ts'
import { MapRequest, type MapOrder } from '../../examples/map-export/map-request.ts'
import { ImpossibleSizeError } from '../../examples/map-export/paper.ts'

function load(order: MapOrder): ReturnType<typeof loadRegion> {
  return loadRegion(MapRequest.parse(order))
}

describe('country codes', () => {
  test('resolve for every country of the atlas that has a number', () => {
    const numbered = openAtlas('10m').countries.filter(({ id }) => id !== undefined)
    assert.ok(numbered.length > 230)
    for (const { id } of numbered) assert.equal(countryByCode(String(id)).numeric, id)
  })

  test('all lead to an outline in the atlas', () => {
    const atlas = openAtlas('10m')
    const missing = countries.filter(({ numeric, name }) => findCountry(atlas, numeric, name) === undefined)
    assert.deepEqual(missing, [])
  })

  test('are unique, and agree with those that the runtime knows', () => {
    for (const key of ['alpha2', 'alpha3', 'numeric', 'name'] as const) {
      assert.equal(new Set(countries.map((country) => country[key])).size, countries.length)
    }
    for (const { numeric, alpha2 } of countries.filter(({ alpha2: code }) => code !== 'XK')) {
      assert.equal(new Intl.Locale(`und-${numeric}`).region, alpha2)
    }
  })

  test('may be alpha-2, alpha-3 or numeric, in either case', () => {
    const names = ['FR', 'fra', '250', 'Fra'].map((code) => countryByCode(code).name)
    assert.deepEqual(names, ['France', 'France', 'France', 'France'])
  })

  test('of Australia mean the continent, not the reef that has the same number in the atlas', () => {
    assert.equal(load({ region: 'AUS' }).focus, 'Australia')
  })
})

describe('an unknown region', () => {
  test('is an error that is not worth trying again, and says what was perhaps meant', () => {
    assert.throws(
      () => load({ region: 'FRN' }),
      (error: unknown) => {
        assert.ok(error instanceof UnknownRegionError)
        assert.equal(error.code, 'region-unknown')
        assert.equal(error.status, 404)
        assert.match(error.message, /^unknown region "FRN": did you mean FRA \(France\)/)
        return true
      },
    )
  })

  test('is looked for among the names too', () => {
    assert.throws(() => countryByCode('Germny'), /did you mean DEU \(Germany\)/)
  })

  test('that resembles nothing is answered without a guess', () => {
    assert.throws(() => countryByCode('999'), /unknown region "999": see ISO 3166-1/)
  })
})

describe('an impossible size', () => {
  const impossible: Record<string, [MapOrder, RegExp]> = {
    'more than 120 megapixels': [{ region: 'FRA', paper: 'A1', dpi: 600 }, /279 megapixels.*up to 393 dpi/],
    'a page of no width': [{ region: 'FRA', paper: { widthMm: 0, heightMm: 100 } }, /0 × 100 mm/],
    'a page of negative height': [{ region: 'FRA', paper: { widthMm: 100, heightMm: -1 } }, /100 × -1 mm/],
    'a page like a ribbon': [{ region: 'CHL', paper: { widthMm: 60, heightMm: 300 } }, /4 times/],
    'a box without width': [{ region: [10, 40, 10, 50] }, /no area/],
    'a box without height': [{ region: [10, 40, 20, 40] }, /no area/],
    'a box that is upside down': [{ region: [10, 50, 20, 40] }, /south below north/],
  }
  for (const [what, [order, reason]] of Object.entries(impossible)) {
    test(`is ${what}, and the error says what is possible`, () => {
      assert.throws(
        () => load(order),
        (error: unknown) => {
          assert.ok(error instanceof ImpossibleSizeError)
          assert.equal(error.status, 422)
          assert.match(error.message, /^invalid dimensions: /)
          assert.match(error.message, reason)
          return true
        },
      )
    })
  }

  test('is not one that the error offered instead', () => {
    assert.doesNotThrow(() => load({ region: 'FRA', paper: 'A1', dpi: 393 }))
  })
})

describe('the outlines of a region', () => {
  test('of France leave out what lies overseas', () => {
    const { extent, areaShare, countries: seen } = load({ region: 'FRA' })
    assert.ok(extent.every(([x, y]) => x > -6 && x < 10 && y > 41 && y < 52))
    assert.ok(areaShare > 0.8 && areaShare < 0.9)
    assert.ok(!seen.some(({ name }) => name === 'Brazil'))
  })

  test('of Malaysia keep both of its halves', () => {
    const longitudes = load({ region: 'MYS' }).extent.map(([x]) => x)
    assert.ok(Math.min(...longitudes) < 101 && Math.max(...longitudes) > 119)
  })

  test('name the country and all that may be seen around it', () => {
    const outlines = load({ region: 'LUX' })
    assert.equal(outlines.name, 'Luxembourg')
    assert.deepEqual(outlines.countries.map(({ name }) => name).toSorted(), [
      'Belgium',
      'France',
      'Germany',
      'Luxembourg',
    ])
  })

  test('lie on the sheet as the region lies', () => {
    assert.equal(load({ region: 'CHL' }).lies, 'portrait')
    assert.equal(load({ region: 'RUS' }).lies, 'landscape')
  })

  test('take the finest atlas for small lands and coarser ones for large', () => {
    const details = (['LUX', 'USA', [-180, -90, 180, 90]] as const).map(
      (region) => load({ region: typeof region === 'string' ? region : [...region], paper: 'A5' }).detail,
    )
    assert.deepEqual(details, ['10m', '50m', '50m'])
  })

  test('of a box that crosses the antimeridian are as wide as the box, not as the rest of the world', () => {
    const { centre, span } = load({ region: [170, -50, -170, -10] })
    assert.deepEqual(centre, [-180, -30])
    assert.ok(span.width < 0.4)
  })

  test('are a small checkpoint', () => {
    for (const region of ['RUS', 'IDN', 'CAN']) assert.ok(JSON.stringify(load({ region })).length < 20_000)
  })
})

describe('land cut in two at the antimeridian', () => {
  const east = [
    [178, 0],
    [178, 2],
    [180, 2],
    [180, 0],
    [178, 0],
  ]
  const west = [
    [-180, 2],
    [-178, 2],
    [-178, 0],
    [-180, 0],
    [-180, 2],
  ]

  test('is joined, and the cut is gone', () => {
    const [whole, ...others] = joinedAcrossAntimeridian([[east], [west]])
    assert.equal(others.length, 0)
    const ring = whole?.[0] ?? []
    const alongCut = ring.filter((point, index) => {
      const [x = 0, y] = point
      const [lastX = 0, lastY] = ring[index - 1] ?? point
      return Math.abs(x) === 180 && Math.abs(lastX) === 180 && y !== lastY
    })
    assert.deepEqual(alongCut, [])
    assert.deepEqual(ring[0], ring.at(-1))
    for (const corner of [178, -178]) assert.equal(ring.slice(1).filter(([x]) => x === corner).length, 2)
  })

  test('is left as it is where the other half is missing, and so is land elsewhere', () => {
    const inland = [
      [10, 0],
      [10, 2],
      [12, 2],
      [10, 0],
    ]
    const parts = joinedAcrossAntimeridian([[inland], [east]])
    assert.equal(parts.length, 2)
    assert.deepEqual(parts[0], [inland])
    assert.equal(parts[1]?.[0]?.length, 5)
  })
})
