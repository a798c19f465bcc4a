const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Comes before every id that is made. */
export const FIRST_ID = '00000000-0000-0000-0000-000000000000'

/** Whether a text can be the id of anything at all. */
export function isId(text: string): boolean {
  return UUID.test(text)
}
