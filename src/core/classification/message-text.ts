/**
 * What the text of an error says, where it has nothing better. Every pattern runs in time linear in the text (repeats are bounded), and
 * the text is at most 10,000 characters long.
 */
import { fatal, judgeStatus, retryable } from './judgement.ts'
import type { Judgement } from './judgement.ts'
import { judgeName } from './name.ts'

/** A status in the text, then the name of an error at its beginning, then the phrases: retryable ones first, then fatal ones. */
export function judgeText(text: string): Judgement | undefined {
  return judgeStatusText(text) ?? judgeNamePrefix(text) ?? PHRASE_RULES.find(([pattern]) => pattern.test(text))?.[1]
}

/** A three-digit number is a status only where the text says so: not in "404 maps rendered", "page 404", "took 503 ms". */
const STATUS_PATTERNS: readonly RegExp[] = [
  /\bHTTP(?:\/\d(?:\.\d)?)?(?: (?:status|error|code|response)){0,3}!?[ :=(]{1,3}([45]\d\d)(?![\d.])/i,
  /status(?:[ _-]?code)?["']?(?: (?:of|was|is))?[ :=(]{1,3}["']?([45]\d\d)(?![\d.])/i,
  /\b(?:error|failed|returned|received|got|responded with|response code|error code)[ :]{1,2}\(?([45]\d\d)(?=$|[,;:)\]]|\.(?:\s|$)| - )/i,
  /^\s{0,9}([45]\d\d)(?=$|:| - )/,
  /\b([45]\d\d),? (?:bad request|unauthorized|payment required|forbidden|not (?:found|acceptable|implemented)|method not allowed|request time-?out|conflict|gone|precondition failed|(?:payload|content|uri) too (?:large|long)|unsupported media|unprocessable|too (?:early|many requests)|internal server|bad gateway|service (?:temporarily )?unavailable|gateway time-?out)\b/i,
]

function judgeStatusText(text: string): Judgement | undefined {
  for (const pattern of STATUS_PATTERNS) {
    const match = pattern.exec(text)
    if (match !== null) return judgeStatus(Number(match[1]))
  }
  return undefined
}

const NAME_PREFIX = /^(?:Uncaught )?([A-Za-z$]{1,80}): /

function judgeNamePrefix(text: string): Judgement | undefined {
  const name = NAME_PREFIX.exec(text)?.[1]
  const judgement = name === undefined ? undefined : judgeName(name)
  return judgement?.rule === 'timeout' && isBrowserTimeout(text) ? retryable('browser-timeout') : judgement
}

const BROWSER_TIMEOUT: RegExp =
  /\b(?:navigation timeout|page\.\w{1,40}: timeout|locator\.\w{1,40}: timeout|timeout \d{1,12} ?ms exceeded|waiting for (?:selector|function|locator|navigation|event|target|element)[^\n]{0,300}?(?:timeout|timed out|ms exceeded)|waiting failed: \d{1,12} ?ms exceeded|timed out after \d{1,12} ?ms while (?:waiting|trying to connect to the browser)|net::ERR_TIMED_OUT)/i

/** Does the text say that a browser under remote control took too long? */
export function isBrowserTimeout(text: string): boolean {
  return BROWSER_TIMEOUT.test(text)
}

const PHRASE_RULES: readonly (readonly [RegExp, Judgement])[] = [
  [BROWSER_TIMEOUT, retryable('browser-timeout')],
  [
    /\b(?:target closed|page crashed|browser has disconnected|execution context was destroyed|frame was detached)\b/i,
    retryable('browser-closed'),
  ],
  [
    /\b(?:session closed\. most likely|(?:session|target) with given id (?:not )?found|no target with given id|(?:page|context|browser) has been closed)\b/i,
    retryable('browser-closed'),
  ],
  [
    /\b(?:E(?:CONN(?:REFUSED|RESET|ABORTED)|TIMEDOUT|PIPE|HOST(?:UNREACH|DOWN)|NET(?:UNREACH|DOWN))|ENOTFOUND|EAI_AGAIN|UND_ERR_(?!INVALID)\w{1,60})\b/,
    retryable('network'),
  ],
  [/\bnet::ERR_(?:CONNECTION|NAME|INTERNET|NETWORK|ADDRESS|SOCKET|EMPTY)_\w{1,40}/, retryable('network')],
  [
    /\b(?:socket hang up|fetch failed|failed to fetch|network error|other side closed|getaddrinfo|host(?:name)? not found|network is unreachable|no route to host|broken pipe|premature close)\b/i,
    retryable('network'),
  ],
  [
    /\b(?:connection terminated|server closed the connection|connection to (?:the )?(?:database|server)[^\n]{0,200}? (?:failed|lost|closed|refused)|can(?:'|no)t reach database server|lost connection to (?:mysql|the )?(?: ?server| ?database))\b/i,
    retryable('database-connection'),
  ],
  [
    /\b(?:database system is (?:starting up|shutting down|in recovery mode)|too many clients|too many connections|remaining connection slots|terminating connection due to|timeout exceeded when trying to connect|connection error and is not queryable)\b/i,
    retryable('database-connection'),
  ],
  [
    /\b(?:deadlock (?:detected|found)|could not serialize access|could not obtain lock|lock wait timeout|database (?:table )?is locked)\b/i,
    retryable('database-contention'),
  ],
  [
    /\bconnection (?:was |has been )?(?:refused|reset|closed|lost|aborted|timed out|terminated)\b/i,
    retryable('network'),
  ],
  [
    /\b(?:too many requests|rate[ -]?limit(?:ed)?(?: was| has been)? ?(?:exceeded|reached|hit)|rate[ -]?limited|request was throttled|quota exceeded, retry)\b/i,
    retryable('too-many-requests'),
  ],
  [
    /\b(?:internal server error|bad gateway|service (?:is )?(?:temporarily )?unavailable|temporarily unavailable|gateway time-?out)\b/i,
    retryable('http-5xx'),
  ],
  [
    /\b(?:timed[ -]out|time-?out exceeded|timeout of \d{1,12} ?ms|deadline exceeded|request time-?out)\b/i,
    retryable('timeout'),
  ],
  [/\boperation was aborted\b/i, retryable('aborted')],
  [
    /\b(?:invalid|unsupported|unknown) (?:page|paper) (?:size|format)\b|\b(?:page|paper) size[^\n]{0,80}? (?:is|was) (?:invalid|unsupported|not (?:valid|supported))\b/i,
    fatal('page-size'),
  ],
  [
    /\b(?:invalid|unsupported|impossible) (?:\w{1,30} )?(?:dimensions?|width|height)\b|\bdimensions? (?:(?:is|are|was|were) (?:invalid|too (?:large|small)|not valid)|must be|exceeds?)\b/i,
    fatal('dimensions'),
  ],
  [
    /\b(?:schema (?:validation|mismatch)|invalid schema|(?:does not|doesn't|did not|failed to) match (?:the )?(?:\w{1,30} )?schema|violates? (?:the )?schema)\b/i,
    fatal('schema'),
  ],
  [
    /\b(?:validation (?:failed|errors?|failure)|failed validation|did not pass validation|invalid (?:input|request|arguments?|parameters?|payload)|missing required (?:field|parameter|property|argument)s?)\b/i,
    fatal('validation'),
  ],
  [/\bnot[ -]found\b|\b(?:does not|doesn't|no longer) exists?\b|\bNOT_FOUND\b/i, fatal('not-found-message')],
  [
    /\b(?:bad request|unprocessable (?:entity|content))\b|^(?:unauthorized|forbidden|conflict|gone|method not allowed)\.?$/i,
    fatal('http-4xx'),
  ],
]
