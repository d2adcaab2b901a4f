import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import type { FastifyPluginAsync } from 'fastify'

/**
 * The dashboard's files, each under a fixed route that is made at the start: the page and its styles as they are in the
 * source, its modules as the compiler left them, and the libraries that its import map names, from node_modules. Nothing
 * else of the disk can be reached, and nothing comes from the internet.
 */
export interface Page {
  /** For `script-src`: the import map is the one script inside the page. */
  scriptHash: string
  routes: FastifyPluginAsync
}

/** What the page shares with the service. */
const SHARED_MODULES = ['phone.js']

const IMPORT_MAP = /<script type="importmap">([^<]*)<\/script>/

/** Where the compiler put the page's modules, beside this one. */
const COMPILED_PATH = fileURLToPath(new URL('../dashboard', import.meta.url))
const SHARED_PATH = fileURLToPath(new URL('../../shared', import.meta.url))

/** @param sourcePath where index.html is */
export function createPage(sourcePath: string): Page {
  const text = IMPORT_MAP.exec(readFileSync(join(sourcePath, 'index.html'), 'utf8'))?.[1]
  if (text === undefined) throw new Error(`${sourcePath}/index.html has no import map.`)
  const { imports } = JSON.parse(text) as { imports: Record<string, string> }
  return {
    scriptHash: `'sha256-${createHash('sha256').update(text).digest('base64')}'`,
    routes: async (app) => {
      const ignored = ['**/*.ts', '**/*.tsx', '**/*.map', '**/tsconfig.json']
      const fixed = { wildcard: false, cacheControl: false, globIgnore: ignored }
      await app.register(fastifyStatic, { ...fixed, root: sourcePath, index: 'index.html' })
      const modules = { ...fixed, root: COMPILED_PATH, prefix: '/app/supervisor/dashboard/' }
      await app.register(fastifyStatic, { ...modules, decorateReply: false })
      const files = new Map(SHARED_MODULES.map((name) => [`/app/shared/${name}`, join(SHARED_PATH, name)]))
      for (const [specifier, url] of Object.entries(imports)) {
        files.set(url, fileURLToPath(import.meta.resolve(specifier)))
      }
      for (const [url, path] of files) {
        app.get(url, { schema: { hide: true } }, (_request, reply) => reply.sendFile(basename(path), dirname(path)))
      }
    },
  }
}
