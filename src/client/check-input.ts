import { InvalidInputError } from '../core/errors.ts'
import type { Json } from '../core/json.ts'
import { accepted } from '../core/schema.ts'
import type { Parse, Schema } from '../core/schema.ts'

/**
 * Lets the schema have its word on an input, without keeping what it makes of it: the raw input is stored. A schema that answers at once is
 * heard at once; else a promise is returned.
 *
 * @throws InvalidInputError `input-invalid`, with the path of the first value that is refused
 */
export function checkInput(schema: Schema | undefined, input: Json, path: string): void | Promise<void> {
  if (schema === undefined) return undefined
  const validated = schema['~standard'].validate(input)
  const parse: Parse = { path, code: 'input-invalid' }
  if (!('then' in validated)) return void accepted(validated, parse)
  return validated.then((result) => void accepted(result, parse))
}

/** The same for a caller that can't wait, in the middle of a transaction on a synchronous connection. */
export function checkInputAtOnce(schema: Schema | undefined, input: Json, path: string): void {
  const checked = checkInput(schema, input, path)
  if (checked === undefined) return
  checked.catch(() => undefined)
  throw new InvalidInputError({
    path,
    expected:
      'a schema that validates at once; this one is asynchronous, so enqueue outside the transaction, or check elsewhere',
  })
}
