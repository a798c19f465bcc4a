/** A small book, made as an EPUB file should be. Its text is ours and free for everybody. */
import { strToU8, zipSync } from 'fflate'

export interface Page {
  readonly heading: string
  readonly paragraphs: readonly string[]
}

export const MILLER: readonly Page[] = [
  {
    heading: 'The Mill',
    paragraphs: [
      'Above the village stood a mill, and the water that turned it came down a channel of stone.',
      'The miller did not count the water. He counted the sacks, and wrote each one into his book before he touched it.',
    ],
  },
  {
    heading: 'The Flood',
    paragraphs: [
      'One night the river rose & carried the channel away. In the morning the wheel stood still.',
      'But the book lay dry on its shelf, and in it stood how far each sack had come.',
    ],
  },
  {
    heading: 'The New Wheel',
    paragraphs: ['They built the wheel again. Nobody had to ask which grain was whose, and no sack was ground twice.'],
  },
]

/** The bytes of an EPUB 3 file. */
export function makeEpub(title: string, pages: readonly Page[]): Uint8Array {
  const items = pages.map(
    (_page, index) => `<item id="c${index}" href="text/${index}.xhtml" media-type="application/xhtml+xml"/>`,
  )
  const spine = pages.map((_page, index) => `<itemref idref="c${index}"/>`)
  const packageDocument = `<?xml version="1.0" encoding="UTF-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">
  <metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
    <dc:identifier id="id">urn:millrace:example:${escape(title)}</dc:identifier>
    <dc:title>${escape(title)}</dc:title>
    <dc:creator>The Millrace authors</dc:creator>
    <dc:language>en</dc:language>
    <meta property="dcterms:modified">2026-01-01T00:00:00Z</meta>
  </metadata>
  <manifest>
    <item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
    ${items.join('\n    ')}
  </manifest>
  <spine>${spine.join('')}</spine>
</package>`
  const texts = Object.fromEntries(pages.map((chapter, index) => [`${index}.xhtml`, strToU8(xhtmlOf(chapter))]))
  return zipSync({
    // First and not compressed, so that the type of the file can be told by its first bytes.
    mimetype: [strToU8('application/epub+zip'), { level: 0 }],
    'META-INF': { 'container.xml': strToU8(CONTAINER) },
    book: { 'package.opf': strToU8(packageDocument), 'nav.xhtml': strToU8(navigationOf(pages)), text: texts },
  })
}

const CONTAINER = `<?xml version="1.0" encoding="UTF-8"?>
<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0">
  <rootfiles><rootfile full-path="book/package.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>`

function xhtmlOf({ heading, paragraphs }: Page): string {
  const text = paragraphs.map((paragraph) => `<p>${escape(paragraph)}</p>`).join('\n')
  return page(heading, `<h1>${escape(heading)}</h1>\n${text}`)
}

function navigationOf(pages: readonly Page[]): string {
  const entries = pages.map(({ heading }, index) => `<li><a href="text/${index}.xhtml">${escape(heading)}</a></li>`)
  return page('Contents', `<nav epub:type="toc"><ol>${entries.join('')}</ol></nav>`)
}

function page(title: string, body: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops">
<head><title>${escape(title)}</title></head>
<body>${body}</body>
</html>`
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
