import { existsSync, readFileSync } from 'node:fs'
import { SourceMap, type SourceMapPayload } from 'node:module'

/**
 * The stack of an error with our own files and lines, also where the bundle runs. Node's --enable-source-maps does not
 * know of a script that a loader runs, and would read a map of 3 MB at each error; this is asked at the end of a process
 * alone. Unbundled, Node has mapped the stack already.
 */
export function sourceStack(error: Error): string {
  const stack = error.stack ?? String(error)
  // The bundle is a CommonJS module and has a name; an ES module has none.
  if (typeof __filename === 'undefined') return stack
  return mapStack(stack, __filename)
}

/** @param file as it stands in the stack; its map lies beside it, as `file`.map */
export function mapStack(stack: string, file: string): string {
  if (!stack.includes(file) || !existsSync(`${file}.map`)) return stack
  try {
    const map = new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8')) as SourceMapPayload)
    return stack
      .split('\n')
      .map((line) => mapLine(line, file, map))
      .join('\n')
  } catch {
    // A stack that can't be mapped is better than none.
    return stack
  }
}

function mapLine(text: string, file: string, map: SourceMap): string {
  const [before = '', after] = text.split(file, 2)
  const place = after === undefined ? null : /^:(\d+):(\d+)/.exec(after)
  if (after === undefined || place === null) return text
  const entry = map.findEntry(Number(place[1]) - 1, Number(place[2]) - 1)
  if (!('originalSource' in entry)) return text
  const source = entry.originalSource.replace(/^(\.\.\/)+/, '')
  return `${before}${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}${after.slice(place[0].length)}`
}
