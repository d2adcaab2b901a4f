import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import { sessionsPathOf } from '../../shared/sessions-path.ts'
import type { Environment } from '../config.ts'
import { readCredential } from '../config-credentials.ts'
import { CliError } from './cli-error.ts'

/** Where the service is, and what opens it: options first, then the environment of the service. */
export interface Settings {
  url: string
  token: string
}

export interface SettingsOptions {
  url: string | undefined
  tokenFile: string | undefined
  env: Environment
  cwd: string
}

/** @throws CliError badConfig */
export async function readSettings(options: SettingsOptions): Promise<Settings> {
  return { url: urlOf(options), token: await tokenOf(options) }
}

function urlOf({ url, env }: SettingsOptions): string {
  if (url !== undefined) {
    const parsed = URL.canParse(url) ? new URL(url) : undefined
    if (parsed?.protocol !== 'http:' && parsed?.protocol !== 'https:') {
      throw new CliError('badConfig', `--url is "${url}": use an address such as http://127.0.0.1:8080.`)
    }
    return parsed.href.replace(/\/$/, '')
  }
  const port = env['PORT']?.trim() || '8080'
  if (!/^\d{1,5}$/.test(port) || port === '0') {
    throw new CliError('badConfig', `PORT is "${port}": set it as it is for the service, or give --url.`)
  }
  // An address of all interfaces is none to connect to.
  const everywhere: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }
  const given = env['HOST']?.trim() || '127.0.0.1'
  const host = everywhere[given] ?? given
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

async function tokenOf({ tokenFile, env, cwd }: SettingsOptions): Promise<string> {
  if (tokenFile !== undefined) return readToken(resolve(cwd, tokenFile), '--token-file')
  const given = env['ADMIN_TOKEN']?.trim()
  if (given) return given
  const errors: string[] = []
  const credential = readCredential(env['CREDENTIALS_DIRECTORY'], 'admin-token', errors)
  if (errors.length > 0) throw new CliError('badConfig', errors.join(' '))
  if (credential !== undefined) return credential
  return readToken(join(sessionsPathOf(env, cwd).path, 'admin-token'), 'ADMIN_TOKEN is not set')
}

async function readToken(path: string, why: string): Promise<string> {
  let token: string
  try {
    token = (await readFile(path, 'utf8')).trim()
  } catch (error) {
    throw new CliError(
      'badConfig',
      `There is no token to ask the service with (${why}): ${path} can not be read (${errnoOf(error) ?? messageOf(error)}). ` +
        'Give --token-file, or set ADMIN_TOKEN or SESSIONS_PATH as they are for the service.',
    )
  }
  if (token === '') throw new CliError('badConfig', `${path} is empty: a token was expected in it.`)
  return token
}
