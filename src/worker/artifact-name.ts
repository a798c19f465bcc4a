import { InvalidInputError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'

const NAME_EXPECTED =
  `a file name of 1 to ${LIMITS.artifactNameCharacters} characters: no slashes or backslashes, no control characters, ` +
  'no space at an end, and neither "." nor ".."'
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const NOT_IN_A_NAME = /[/\\\u0000-\u001F\u007F-\u009F]|^\s|\s$|^\.{1,2}$/

/**
 * What a download will be called. It never becomes a path of the store's own, but it does on the disk of whoever downloads it.
 *
 * @throws InvalidInputError `name-invalid`
 */
export function checkArtifactName(name: string): void {
  const text: unknown = name
  const fits = typeof text === 'string' && text !== '' && text.length <= LIMITS.artifactNameCharacters
  if (fits && !NOT_IN_A_NAME.test(text) && text.isWellFormed()) return
  const received = typeof text === 'string' ? JSON.stringify(text.slice(0, SHOWN_CHARACTERS)) : typeof text
  throw new InvalidInputError({ path: 'artifact name', expected: NAME_EXPECTED, received, code: 'name-invalid' })
}

const SHOWN_CHARACTERS = 60
/** A media type with parameters (RFC 9110, section 8.3.1), narrowed to what cannot break out of a header. */
const CONTENT_TYPE =
  /^[\w!#$&^.+-]{1,64}\/[\w!#$&^.+-]{1,64}(?:; ?[\w-]{1,32}=(?:[\w!#$&^.+-]{1,64}|"[\w !#$&^.+-]{0,64}"))*$/
const CONTENT_TYPE_CHARACTERS = 200

/** @throws InvalidInputError */
export function checkContentType(contentType: string): string {
  if (contentType.length <= CONTENT_TYPE_CHARACTERS && CONTENT_TYPE.test(contentType)) return contentType
  const received = JSON.stringify(contentType.slice(0, SHOWN_CHARACTERS))
  throw new InvalidInputError({ path: 'contentType', expected: "a media type such as 'image/png'", received })
}
