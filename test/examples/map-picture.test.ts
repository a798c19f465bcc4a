import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { Resvg } from '@resvg/resvg-js'

import { drawMap } from '../../examples/map-export/draw-map.ts'
import { palette } from '../../examples/map-export/palette.ts'
import { renderPng } from '../../examples/map-export/render-png.ts'
import { work } from './map-orders.ts'

/** The pixels of a PNG, as another decoder than the encoder sees them. */
function pixelsOf(png: Uint8Array, width: number, height: number): Buffer {
  const href = `data:image/png;base64,${Buffer.from(png).toString('base64')}`
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${width}" height="${height}"><image xlink:href="${href}" width="${width}" height="${height}"/></svg>`
  return new Resvg(svg, { font: { loadSystemFonts: false } }).render().pixels
}

function countColours(pixels: Buffer): Map<string, number> {
  const counts = new Map<string, number>()
  for (let at = 0; at < pixels.length; at += 4) {
    const colour = `#${pixels.toString('hex', at, at + 3)}`
    counts.set(colour, (counts.get(colour) ?? 0) + 1)
  }
  return counts
}

describe('the drawing', () => {
  test('is complete in itself: no number is missing, and nothing is fetched', () => {
    const svg = drawMap(work({ region: 'FRA', title: 'Côtes & îles' }).plan)
    assert.doesNotMatch(svg, /NaN|undefined|Infinity/)
    assert.match(svg, /CÔTES &amp; ÎLES/)
    assert.doesNotMatch(svg, /href="(?!#)/)
    assert.deepEqual([...new Set(svg.match(/font-family="[^"]*"/g))], ['font-family="EB Garamond"'])
  })

  test('has title, scale, scale bar and source', () => {
    const svg = drawMap(work({ region: 'FRA' }).plan)
    for (const text of ['FRANCE', '1 : 7 000 000', 'Conic equal-area projection', ' km', 'Made with Natural Earth']) {
      assert.ok(svg.includes(text), text)
    }
  })
})

describe('the picture', () => {
  test('is a PNG of the size in pixels that was ordered, and prints in true size', () => {
    const { plan } = work({ region: 'FJI', paper: 'A5', orientation: 'landscape', dpi: 150 })
    const png = Buffer.from(renderPng(drawMap(plan), plan))
    assert.deepEqual([...png.subarray(0, 8)], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
    assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [1240, 874])
    assert.deepEqual([plan.page.widthPx, plan.page.heightPx], [1240, 874])
    const resolution = png.indexOf('pHYs', 0, 'latin1')
    assert.equal(resolution, 37)
    assert.ok(Math.abs(png.readUInt32BE(resolution + 4) * 0.0254 - 150) < 0.5)
  })

  test('shows paper, sea, land and lettering', () => {
    const { plan } = work({ region: 'FRA', paper: 'A5', dpi: 100 })
    const { widthPx, heightPx } = plan.page
    const colours = countColours(pixelsOf(renderPng(drawMap(plan), plan), widthPx, heightPx))
    const share = (colour: string): number => (colours.get(colour) ?? 0) / (widthPx * heightPx)
    assert.ok(share(palette.paper) > 0.1, 'paper')
    assert.ok(share(palette.sea) > 0.03, 'sea')
    assert.ok(share(palette.neighbour) > 0.1, 'neighbours')
    assert.ok(share(palette.focus) > 0.1, 'the country')
    assert.ok(share(palette.ink) > 0.001, 'ink')
    assert.ok(colours.size > 200, 'smooth edges')
  })

  test('has lettering on a machine without any fonts, since it uses only its own', () => {
    const { plan } = work({ region: 'FRA', paper: 'A5', dpi: 100 })
    const svg = drawMap(plan)
    const silent = renderPng(svg.replaceAll(/<text .*?<\/text>/g, ''), plan)
    assert.notDeepEqual(renderPng(svg, plan), silent)
  })
})
