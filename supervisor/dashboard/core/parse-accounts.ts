import { isSamePhone, parsePhone } from '../../../shared/phone.ts'

/** Accounts from what people paste: CSV with commas, semicolons or tabs, with or without a heading, or `Name +40712345678`. */
export interface ParsedAccount {
  /** From 1, as an editor counts. */
  line: number
  name: string
  /** E.164. */
  phone: string
}

export interface LineError {
  line: number
  text: string
  message: string
}

export interface ParsedAccounts {
  accounts: ParsedAccount[]
  errors: LineError[]
}

/** As many as the service takes at once. */
export const MOST_LINES = 200
const LONGEST_NAME = 100

export function parseAccounts(text: string): ParsedAccounts {
  const accounts: ParsedAccount[] = []
  const errors: LineError[] = []
  let seen = 0
  for (const [index, raw] of text
    .replace(/^\ufeff/, '')
    .split(/\r\n|\r|\n/)
    .entries()) {
    const line = index + 1
    const trimmed = raw.trim()
    if (trimmed === '' || (seen === 0 && isHeading(trimmed))) continue
    seen++
    const parsed =
      seen > MOST_LINES ? `Only ${MOST_LINES} accounts at once: add the rest afterwards.` : parseLine(trimmed)
    if (typeof parsed === 'string') {
      errors.push({ line, text: trimmed, message: parsed })
      continue
    }
    const twin = accounts.find(({ phone }) => isSamePhone(phone, parsed.phone))
    if (twin === undefined) accounts.push({ line, ...parsed })
    else errors.push({ line, text: trimmed, message: `The phone of line ${twin.line} again.` })
  }
  return { accounts, errors }
}

/** A first line that holds no digit is what a spreadsheet calls its columns. */
function isHeading(line: string): boolean {
  return !/\d/.test(line) && /phone|number|mobile|tel/i.test(line)
}

/** The fields, or what is wrong with the line. */
function parseLine(line: string): { name: string; phone: string } | string {
  const fields = splitFields(line)
  const [first = '', second = ''] = fields.length > 1 ? fields.filter((field) => field !== '') : splitWords(line)
  if (second === '') return parsePhone(first) === undefined ? 'A name and a phone are wanted.' : 'The name is missing.'
  // Either column may come first.
  const [name, number] =
    parsePhone(second) === undefined && parsePhone(first) !== undefined ? [second, first] : [first, second]
  const phone = parsePhone(number)
  if (phone === undefined) return whyNoPhone(number)
  if (name.length > LONGEST_NAME) return `The name has ${name.length} characters: ${LONGEST_NAME} are the most.`
  return { name, phone }
}

function whyNoPhone(number: string): string {
  if (/^\d[.,]\d+e\+?\d+$/i.test(number)) {
    return `"${number}" is how a spreadsheet shortens a number: format the column as text and copy it again.`
  }
  if (/^\(?0[1-9]/.test(number)) return `"${number}" has no country code: write it as +40 712 345 678.`
  return `"${number.slice(0, 40)}" is no phone number with its country code.`
}

/** Fields of one CSV line; a quoted field may hold the separator and doubled quotes. */
function splitFields(line: string): string[] {
  const separator = ['\t', ';', ','].find((candidate) => line.includes(candidate))
  if (separator === undefined) return [line]
  const fields: string[] = []
  let field = ''
  let quoted = false
  for (let index = 0; index < line.length; index++) {
    const character = line.charAt(index)
    if (quoted && character === '"' && line.charAt(index + 1) === '"') {
      field += '"'
      index++
    } else if (character === '"' && (quoted || field.trim() === '')) {
      quoted = !quoted
    } else if (!quoted && character === separator) {
      fields.push(field.trim())
      field = ''
    } else {
      field += character
    }
  }
  return [...fields, field.trim()]
}

/** `Shop Cluj +40 712 345 678`: the phone is what begins with a plus sign, or the last words that are digits. */
function splitWords(line: string): [string, string] {
  const match = /^(.*?\S)\s+(\+[\d\s().\-/]+|\d[\d().\-/]{6,})$/.exec(line)
  return match === null ? [line, ''] : [match[1] ?? '', match[2] ?? '']
}
