import { WA_CERT_DETAILS } from '@whiskeysockets/baileys'

/**
 * A preload that makes an unchanged program trust a simulator's root key:
 *
 *   SIMULATOR_ROOT_KEY=<64 hex digits> node --import ./dist/test/simulator/trust-root.js program.js
 *
 * Baileys reads the key when it connects, and every import of it in the process is the same object, as long as both come from
 * the same copy in node_modules.
 */
const rootKey = process.env['SIMULATOR_ROOT_KEY'] ?? ''
if (!/^[0-9a-f]{64}$/i.test(rootKey)) {
  throw new Error(
    `SIMULATOR_ROOT_KEY is "${rootKey}": wanted the 64 hex digits that the simulator printed as noiseRootKey`,
  )
}
WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(rootKey, 'hex')
