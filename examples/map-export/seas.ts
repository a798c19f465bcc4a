/** Where the names of waters may stand. */
import type { BoundingBox } from './map-request.ts'

export interface Sea {
  readonly name: string
  /** How large its name is written. */
  readonly rank: 'ocean' | 'sea' | 'gulf'
  /** Rough boxes within it; only what is water in them counts. */
  readonly boxes: readonly BoundingBox[]
}

const OCEANS = `
Atlantic Ocean: -78 21 -20 43, -50 43 -12 58, -60 0 -18 21, -18 28 -10 38, -33 -45 8 0, -57 -50 -33 -38, -18 0 -10 10, 8 -45 12 -17
Pacific Ocean: 143 0 180 42, 152 42 180 46, 157 46 180 52, -180 0 -140 54, -140 0 -128 55, -128 8 -118 46, -118 4 -100 24, -100 1 -82 12, -180 -45 -84 0, 155 -10 180 0, 178 -48 180 -10, -84 -50 -76 -18, -76 -40 -71 -18, 127 5 143 33, 141 33 150 42, -84 1 -79 6
Indian Ocean: 55 -45 110 -2, 60 -2 94 5, 40 -45 55 -27, 49 -12 55 4, 52 -27 55 -12, 110 -45 114 -12, 30 -45 40 -34, 114 -45 128 -36
Arctic Ocean: -180 78 180 88
Southern Ocean: -180 -66 180 -56
`

const SEAS = `
North Sea: -1 53 7 60
Norwegian Sea: -5 63 12 71
Barents Sea: 22 70.5 52 77
Kara Sea: 60 71 90 78
Laptev Sea: 112 73 140 78
East Siberian Sea: 145 70.5 175 76
Chukchi Sea: -176 67 -160 73
Beaufort Sea: -155 70.5 -128 75
Greenland Sea: -18 72 5 80
Baltic Sea: 14.5 54.5 21.5 59
Mediterranean Sea: 0 36 8.5 42, 11 33 23 37.5, 23 32 35.5 35
Tyrrhenian Sea: 9.8 38.6 15.5 42
Adriatic Sea: 13 41.5 19 45
Ionian Sea: 16.5 36.5 20.5 39.5
Aegean Sea: 23 36.5 27 40.3
Black Sea: 28 41.5 41 46
Caspian Sea: 47 37 54 46.5
Red Sea: 34 15 42 27
Arabian Sea: 56 8 73 24
Bay of Bengal: 81 8 94 20
Andaman Sea: 93.5 6 98 15
South China Sea: 106 3 120 22
East China Sea: 121 26 129 32
Yellow Sea: 120 32.5 126 38
Sea of Japan: 129 36 141 46
Sea of Okhotsk: 143 47 156 59
Bering Sea: -180 53 -160 64, 165 54 180 62
Philippine Sea: 123 10 142 28
Celebes Sea: 118 2 125 6
Banda Sea: 122 -7.5 131 -4
Java Sea: 106 -6.5 116 -3.5
Timor Sea: 122 -14 129 -10.5
Arafura Sea: 131 -11 141 -8
Coral Sea: 147 -24 160 -11
Tasman Sea: 152 -43 171 -30
Caribbean Sea: -84 10.5 -62 19.5
Gulf of Mexico: -97 19 -82.5 29.5
Gulf of Alaska: -156 54.5 -136 59.5
Hudson Bay: -95 55 -78 63
Baffin Bay: -78 69.5 -56 77
Labrador Sea: -60 54 -44 61
Great Australian Bight: 124 -38 137 -31.5
Weddell Sea: -58 -76 -25 -66
Ross Sea: 165 -77 180 -70, -180 -77 -158 -71
Scotia Sea: -55 -60 -30 -55.5
Gulf of Guinea: -8 -3 9 4.2
Sea of Azov: 35 45.4 38.5 47
`

const GULFS = `
Bay of Biscay: -8 43.6 -1.4 47
Celtic Sea: -9.5 48.8 -5.6 51.6
Irish Sea: -6 52.4 -3.2 54.6
English Channel: -4.5 48.8 0 50.5
Skagerrak: 7.5 57.3 11 58.8
Kattegat: 10.6 56 12.5 57.5
Gulf of Bothnia: 17.5 60.8 22 65.5
Gulf of Finland: 23 59.4 29 60.4
White Sea: 33 64 41 67.5
Ligurian Sea: 7.5 42.9 10 44.4
Gulf of Lion: 3 41.8 6 43.4
Balearic Sea: 0.5 39.5 3.5 41.3
Alboran Sea: -5 35.3 -1.5 36.7
Strait of Sicily: 10.8 35.7 14 37.6
Gulf of Sidra: 15.5 30.6 20 32.8
Sea of Crete: 23.3 35.5 26.5 36.6
Sea of Marmara: 27.3 40.4 29 41.1
Persian Gulf: 48.5 24.5 56 30
Gulf of Oman: 56.4 23.5 61 25.6
Gulf of Aden: 43.5 10.8 51 14.5
Gulf of Thailand: 99.5 7.5 104.5 13
Gulf of Tonkin: 105.8 17.5 109.4 21.5
Strait of Malacca: 97.5 2 102 6
Makassar Strait: 116.5 -4 120 1
Molucca Sea: 124.8 -1 127 2.5
Sulu Sea: 118 6.5 122.3 11
Flores Sea: 117 -8.2 122 -6.8
Savu Sea: 119 -10.6 124 -8.8
Gulf of Carpentaria: 136 -17.5 141 -12
Bass Strait: 143.5 -40.6 148 -38.9
Solomon Sea: 148 -10 156 -6.5
Bismarck Sea: 144.5 -5.2 151 -2.5
Koro Sea: 178 -19 180 -16.8
Cook Strait: 173.6 -41.4 174.9 -40
Foveaux Strait: 167.4 -46.9 168.6 -46.5
Bay of Plenty: 176 -37.9 178 -36.9
Hawke Bay: 176.9 -39.8 177.9 -39.1
Taiwan Strait: 117.5 22.8 120.2 25.4
Korea Strait: 127.5 33.6 130.5 35.3
Bo Hai: 117.8 37.4 121.3 40.5
Tatar Strait: 139.5 46.5 142 52
Mozambique Channel: 35.5 -25 44 -12
Gulf of California: -114.5 23.5 -106.5 31
Gulf of Panama: -80.3 7.4 -78.2 8.9
Gulf of Honduras: -88.6 15.8 -86 17.6
Bay of Campeche: -96 18.3 -91 20.8
Gulf of Saint Lawrence: -65.5 46.8 -58.6 49.8
Bay of Fundy: -67.3 44.3 -64.8 45.6
Davis Strait: -62 63 -53.5 69
Denmark Strait: -32 65 -23.5 68.5
Foxe Basin: -83 65.5 -74 69
James Bay: -82.2 51.3 -79 54.8
Drake Passage: -70 -61 -58 -56
Gulf of Penas: -76 -47.8 -74.6 -46.9
Gulf of San Jorge: -67.6 -47 -65.6 -45.2
Río de la Plata: -58 -35.8 -55 -34.5
Kerch Strait: 36.4 45 36.8 45.3
`

/** Waters that maps name, the largest rank first. */
export const seas: readonly Sea[] = [...parse(OCEANS, 'ocean'), ...parse(SEAS, 'sea'), ...parse(GULFS, 'gulf')]

function parse(table: string, rank: Sea['rank']): Sea[] {
  return table
    .trim()
    .split('\n')
    .map((line) => {
      const [name = '', boxes = ''] = line.split(': ')
      return { name, rank, boxes: boxes.split(', ').map(parseBox) }
    })
}

function parseBox(box: string): BoundingBox {
  const [west = 0, south = 0, east = 0, north = 0] = box.split(' ').map(Number)
  return [west, south, east, north]
}
