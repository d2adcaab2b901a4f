import { writeFile } from 'node:fs/promises'
import { describeMachine } from './machine.ts'

/** Somebody asked for what there is not: printed with the usage, exit code 64. */
export class UsageError extends Error {}

/** Comma-separated whole numbers. @throws UsageError */
export function countsOf(name: string, text: string, most: number, least = 1): number[] {
  return text.split(',').map((part) => {
    const value = /^\d{1,6}$/.test(part) ? Number(part) : Number.NaN
    if (value >= least && value <= most) return value
    throw new UsageError(`${name} has "${part}": use whole numbers from ${least} to ${most}, separated by commas.`)
  })
}

/** One whole number. @throws UsageError */
export function countOf(name: string, text: string, most: number, least = 1): number {
  const [value = 0, ...more] = countsOf(name, text, most, least)
  if (more.length > 0) throw new UsageError(`${name} has "${text}": use one number.`)
  return value
}

/** Comma-separated names, each a key of `known`. @throws UsageError */
export function namesOf<Name extends string>(
  flag: string,
  text: string,
  known: Readonly<Record<Name, string>>,
): Name[] {
  const names = Object.keys(known) as Name[]
  return text.split(',').map((part) => {
    const name = names.find((one) => one === part)
    if (name === undefined) throw new UsageError(`${flag} has "${part}": use ${names.join(', ')}.`)
    return name
  })
}

/** One name, a key of `known`. @throws UsageError */
export function nameOf<Name extends string>(flag: string, text: string, known: Readonly<Record<Name, string>>): Name {
  const [name, ...more] = namesOf(flag, text, known)
  if (name === undefined || more.length > 0) throw new UsageError(`${flag} has "${text}": use one name.`)
  return name
}

export function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** A table of Markdown. */
export function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** The JSON to standard output or to `file`, the table to standard error. */
export async function publish(bench: string, result: object, table: string, file: string | undefined): Promise<void> {
  const text = `${JSON.stringify({ bench, machine: describeMachine(), ...result }, null, 2)}\n`
  if (file === undefined) process.stdout.write(text)
  else await writeFile(file, text)
  say(`\n${JSON.stringify(describeMachine())}\n\n${table}`)
}

/** Runs a bench; a usage error is told with the usage. */
export async function runBench(usage: string, run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } catch (error) {
    const isUsage = error instanceof UsageError || isOptionError(error)
    const message = error instanceof Error ? error.message : String(error)
    process.stderr.write(isUsage ? `${message}\n\n${usage}` : `${message}\n`)
    process.exitCode = isUsage ? 64 : 1
  }
}

/** What util.parseArgs says of an option that there is not, or that is not complete. */
function isOptionError(error: unknown): boolean {
  return error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_')
}
