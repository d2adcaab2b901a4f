import { accessSync, constants, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { errnoOf } from '../shared/errors.ts'
import { credentialPath, readCredential, readSmallFile } from './config-credentials.ts'

/** Where backups go and what seals them; part of `Config`. The keys are secrets: nothing prints this object. */
export interface BackupConfig {
  readonly projectId: string
  /** Absolute; null with an emulator, which asks for none. */
  readonly credentialsPath: string | null
  readonly emulatorHost: string | null
  /** In front of every collection's name. */
  readonly prefix: string
  /** 32 bytes: what is sealed from now on. */
  readonly key: Buffer
  /** What was sealed with these can still be opened. */
  readonly oldKeys: readonly Buffer[]
  readonly debounceMs: number
  readonly intervalMs: number
}

export const BACKUP_SETTINGS = [
  'FIRESTORE_PROJECT_ID',
  'FIRESTORE_EMULATOR_HOST',
  'FIRESTORE_PREFIX',
  'GOOGLE_APPLICATION_CREDENTIALS',
  'BACKUP_ENCRYPTION_KEY',
  'BACKUP_ENCRYPTION_KEY_FILE',
  'BACKUP_OLD_KEYS',
  'BACKUP_DEBOUNCE_MS',
  'BACKUP_INTERVAL_MS',
] as const
type BackupSetting = (typeof BACKUP_SETTINGS)[number]

/** systemd's LoadCredential puts the key here, readable for this service alone. */
const CREDENTIAL_NAME = 'backup-encryption-key'
const KEY_BYTES = 32
const KEY_REMEDY = '32 random bytes in base64 (44 characters), from `openssl rand -base64 32`'

export interface BackupSettings {
  get: (name: BackupSetting) => string | undefined
  /** systemd's $CREDENTIALS_DIRECTORY. */
  credentialsDirectory: string | undefined
  integer: (name: BackupSetting, fallback: number, min: number, max: number) => number
  cwd: string
}

/** Null where no project is named: then there are no backups. What is wrong goes to `errors`, and no key ever does. */
export function parseBackup(settings: BackupSettings, errors: string[]): BackupConfig | null {
  const { get, integer, cwd } = settings
  const debounceMs = integer('BACKUP_DEBOUNCE_MS', 5000, 0, 3_600_000)
  const intervalMs = integer('BACKUP_INTERVAL_MS', 60_000, 0, 86_400_000)
  const projectId = get('FIRESTORE_PROJECT_ID')
  if (projectId === undefined) {
    const meant = (['FIRESTORE_EMULATOR_HOST', 'FIRESTORE_PREFIX', 'BACKUP_ENCRYPTION_KEY'] as const).find(
      (name) => get(name) !== undefined,
    )
    if (meant !== undefined) {
      errors.push(`${meant} is set, but FIRESTORE_PROJECT_ID is not: set it to keep backups, or unset ${meant}.`)
    }
    return null
  }
  const before = errors.length
  // Google's rule for project ids, with the old ones of a domain ("example.com:project").
  if (!/^[a-z][a-z0-9.:-]{2,80}$/.test(projectId)) {
    errors.push(`FIRESTORE_PROJECT_ID is "${projectId}": use the project's id, such as my-project-123.`)
  }
  const emulatorHost = get('FIRESTORE_EMULATOR_HOST') ?? null
  if (emulatorHost !== null && !/^(\[[0-9a-f:]+\]|[a-z0-9.-]+):\d{1,5}$/i.test(emulatorHost)) {
    errors.push(`FIRESTORE_EMULATOR_HOST is "${emulatorHost}": use HOST:PORT, such as 127.0.0.1:8081.`)
  }
  const prefix = get('FIRESTORE_PREFIX') ?? ''
  if (!/^[A-Za-z0-9_-]{0,50}$/.test(prefix)) {
    errors.push(`FIRESTORE_PREFIX is "${prefix}": use up to 50 letters, digits, "_" and "-".`)
  }
  const { credentialsDirectory } = settings
  const credentials =
    get('GOOGLE_APPLICATION_CREDENTIALS') ?? credentialPath(credentialsDirectory, 'google-credentials')
  const credentialsPath = readableCredentials(credentials, emulatorHost, cwd, errors)
  const key = presentKey(settings, errors)
  const old = get('BACKUP_OLD_KEYS') ?? readCredential(credentialsDirectory, 'backup-old-keys', errors) ?? ''
  const oldKeys = old.split(',').flatMap((text, index) => {
    if (text.trim() === '') return []
    const key = keyOf(text)
    if (key === undefined) errors.push(`BACKUP_OLD_KEYS: number ${index + 1} is no key. A key is ${KEY_REMEDY}.`)
    return key === undefined ? [] : [key]
  })
  if (errors.length > before || key === undefined) return null
  return { projectId, credentialsPath, emulatorHost, prefix, key, oldKeys, debounceMs, intervalMs }
}

function readableCredentials(
  text: string | undefined,
  emulatorHost: string | null,
  cwd: string,
  errors: string[],
): string | null {
  if (text === undefined) {
    if (emulatorHost === null) {
      errors.push(
        'FIRESTORE_PROJECT_ID is set, but GOOGLE_APPLICATION_CREDENTIALS is not: set it to the path of a service ' +
          "account's key file, or unset FIRESTORE_PROJECT_ID to run without backups.",
      )
    }
    return null
  }
  const path = resolve(cwd, text)
  try {
    accessSync(path, constants.R_OK)
    if (statSync(path).isFile()) return path
    errors.push(
      `GOOGLE_APPLICATION_CREDENTIALS is "${path}", which is no file: set it to a service account's key file.`,
    )
  } catch (error) {
    errors.push(
      `GOOGLE_APPLICATION_CREDENTIALS is "${path}", which can not be read (${errnoOf(error) ?? 'error'}): ` +
        'set it to a file that the user of this service can read.',
    )
  }
  return null
}

function presentKey({ get, credentialsDirectory, cwd }: BackupSettings, errors: string[]): Buffer | undefined {
  const text = get('BACKUP_ENCRYPTION_KEY')
  const file = get('BACKUP_ENCRYPTION_KEY_FILE')
  if (text !== undefined && file !== undefined) {
    errors.push('BACKUP_ENCRYPTION_KEY and BACKUP_ENCRYPTION_KEY_FILE are both set: keep one of them.')
    return undefined
  }
  if (text !== undefined) {
    const key = keyOf(text)
    if (key === undefined)
      errors.push(`BACKUP_ENCRYPTION_KEY has ${text.length} characters and is no key: use ${KEY_REMEDY}.`)
    return key
  }
  const path =
    file !== undefined
      ? resolve(cwd, file)
      : credentialsDirectory === undefined
        ? undefined
        : join(credentialsDirectory, CREDENTIAL_NAME)
  const content = path === undefined ? undefined : readSmallFile(path)
  // An empty credential is one that the unit names and nobody has given.
  const isGiven = file !== undefined || content?.text?.trim() !== ''
  if (path !== undefined && content?.text !== undefined && isGiven) {
    const key = keyOf(content.text)
    if (key === undefined) errors.push(`The file ${path} holds no key for backups: it has to be ${KEY_REMEDY}.`)
    return key
  }
  // A credentials directory is there for whatever other credentials the unit has.
  if (path !== undefined && isGiven && (file !== undefined || content?.problem !== 'ENOENT')) {
    errors.push(
      `The key for backups could not be read from ${path} (${content?.problem}): it has to be a file with ${KEY_REMEDY}.`,
    )
    return undefined
  }
  errors.push(
    'FIRESTORE_PROJECT_ID is set, but there is no key to seal backups with: set BACKUP_ENCRYPTION_KEY or ' +
      `BACKUP_ENCRYPTION_KEY_FILE to ${KEY_REMEDY}. Backups are refused rather than sent in the clear.`,
  )
  return undefined
}

/** Buffer.from skips what is no base64, so that almost any text would be some key. */
function keyOf(text: string): Buffer | undefined {
  const trimmed = text.trim()
  if (!/^[A-Za-z0-9+/]{43}=$/.test(trimmed)) return undefined
  const key = Buffer.from(trimmed, 'base64')
  return key.length === KEY_BYTES ? key : undefined
}
