/**
 * Rewrites Baileys' generated WAProto so that a message type is made when it is first used. As generated, all 672 of them
 * are made at the import: some 7,000 functions and closures, of which an account uses a few dozen types.
 *
 * The generator (protobufjs) writes each type as
 *
 *     proto.Name = (function() {
 *         ...
 *     })();
 *
 * alone on its lines and at one indentation, which is what is looked for. What does not fit is refused, so that another
 * generator's output is never half rewritten.
 */

const OPENING = /^([ \t]*)([\w.]+)\.(\w+) = \(function\(\) \{$/
const CLOSING = /^([ \t]*)\}\)\(\);$/

/** Becomes the type itself with the first look at it, a plain property from then on. */
const LAZY = `
function $lazy(target, name, make) {
  const define = (value) => Object.defineProperty(target, name, { value, configurable: true, enumerable: true, writable: true });
  Object.defineProperty(target, name, {
    configurable: true,
    enumerable: true,
    get: () => { const made = make(); define(made); return made; },
    set: define,
  });
}
`

/**
 * @returns the rewritten source and how many types it has
 * @throws Error where the source does not look as the generator writes it
 */
export function makeTypesLazy(source: string): { code: string; types: number } {
  const open: string[] = []
  let types = 0
  const lines = source.split('\n').map((line) => {
    const opening = OPENING.exec(line)
    if (opening !== null) {
      const [, indent = '', target = '', name = ''] = opening
      open.push(indent)
      types++
      return `${indent}$lazy(${target}, ${JSON.stringify(name)}, function() {`
    }
    const closing = CLOSING.exec(line)
    if (closing === null || closing[1] !== open.at(-1)) return line
    return `${open.pop() ?? ''}});`
  })
  if (types === 0 || open.length > 0) {
    throw new Error(
      `WAProto does not look as protobufjs writes it (${types} types found, ${open.length} of them without an end): ` +
        'look at what changed in Baileys, and at worker/bundle/lazy-proto.ts.',
    )
  }
  return { code: LAZY + lines.join('\n'), types }
}
