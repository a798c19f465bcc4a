import { InvalidInputError } from '../core/errors.ts'
import type { Json } from '../core/json.ts'
import type { Schema } from '../core/schema.ts'

type Validated = Awaited<ReturnType<Schema['~standard']['validate']>>
type Issue = NonNullable<Validated['issues']>[number]

/**
 * Lets the schema have its word on an input, without keeping what it makes of it: the raw input is stored. A schema that answers at once is
 * heard at once; else a promise is returned.
 *
 * @throws InvalidInputError `input-invalid`, with the path of the first value that is refused
 */
export function checkInput(schema: Schema | undefined, input: Json, path: string): void | Promise<void> {
  if (schema === undefined) return undefined
  const validated = schema['~standard'].validate(input)
  if (!('then' in validated)) return refuseIssues(validated, path)
  return validated.then((result) => refuseIssues(result, path))
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

function refuseIssues({ issues }: Validated, path: string): void {
  if (issues === undefined) return
  const found = issues.map((issue) => ({ path: path + pathOf(issue), message: issue.message }))
  const [first = { path, message: 'a valid value' }] = found
  const more = found.length > 1 ? ` (and ${found.length - 1} more)` : ''
  throw new InvalidInputError({
    path: first.path,
    expected: `what the schema accepts: ${first.message}${more}`,
    code: 'input-invalid',
    details: { issues: found },
  })
}

function pathOf({ path = [] }: Issue): string {
  const keys = path.map((segment) => (typeof segment === 'object' ? segment.key : segment))
  return keys.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('')
}
