import { bare } from './bare.ts'
import { backlogFigures } from './backlog.ts'
import { heavy } from './heavy.ts'
import { lean } from './lean.ts'
import { fdatasyncMs, loneCommitMs } from './lone-commit.ts'
import { compare } from './measure.ts'
import { ratesTable, table } from './report.ts'
import { stepRows } from './steps.ts'
import { bodyPair, bodySizes, variants } from './variants.ts'

const ROUNDS = 3
const JOBS = 60_000
const VARIANT_ROUNDS = 5
const VARIANT_JOBS = 30_000
const BODY_JOBS = 10_000

const parts: Readonly<Record<string, () => void>> = {
  layouts() {
    for (const batch of [1_000, 250]) {
      const figures = compare([bare, lean('B lean'), heavy], JOBS, batch, ROUNDS)
      console.log(`${ratesTable(`layout, batches of ${batch}`, figures)}\n`)
    }
  },
  steps() {
    console.log(`${table(['µs a row, rows a statement', '1', '10', '100', '250', '1,000'], stepRows(ROUNDS))}\n`)
  },
  variants() {
    console.log(`${ratesTable('variant of B', compare(variants, VARIANT_JOBS, 1_000, VARIANT_ROUNDS))}\n`)
  },
  bodies() {
    for (const bytes of bodySizes) {
      console.log(`${ratesTable(`input of ${bytes} bytes`, compare(bodyPair(bytes), BODY_JOBS, 1_000, ROUNDS))}\n`)
    }
  },
  backlog() {
    console.log(
      `${table(['waiting jobs of another lane', 'claim + complete'], backlogFigures(VARIANT_JOBS, ROUNDS))}\n`,
    )
  },
  lone() {
    const rows = [
      ['fdatasync of one page, p50', `${fdatasyncMs().toFixed(3)} ms`],
      ['one enqueue with its event, p50', `${loneCommitMs().toFixed(3)} ms`],
    ]
    console.log(`${table(['lone commit', 'time'], rows)}\n`)
  },
}

const wanted = process.argv.slice(2)
for (const [name, part] of Object.entries(parts)) {
  if (wanted.length === 0 || wanted.includes(name)) part()
}
