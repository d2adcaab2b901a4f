#!/usr/bin/env node
import { existsSync } from 'node:fs'

/** The package's command: finds what `npm run build` (and `npm start`) made of supervisor/cli. */
const built = new URL('../../dist/supervisor/cli/cli-command.js', import.meta.url)
if (existsSync(built)) {
  await import(built.href)
} else {
  process.stderr.write(
    'Nothing is built yet: run `npm ci && npm run build` in the checkout (`npm start` builds as well).\n',
  )
  process.exitCode = 69
}
