import { proto } from '@whiskeysockets/baileys'
import { makeKeyPair, sign, type KeyPair } from './keys.ts'

/** What the server shows in the Noise handshake: its static key, and a chain that ends at the root. */
export interface ServerCertificate {
  readonly staticKeys: KeyPair
  /** Encoded `CertChain` with the issuer serial that clients expect. */
  readonly chain: Buffer
  /** The same keys under another issuer serial: clients refuse it with 400 "certification match failed". */
  readonly chainOfUnknownIssuer: Buffer
}

/** Baileys compares the intermediate's `issuerSerial` with WA_CERT_DETAILS.SERIAL, which is 0. */
const ROOT_SERIAL = 0
const UNKNOWN_SERIAL = 4711
const INTERMEDIATE_SERIAL = 1
const LEAF_SERIAL = 2
const VALID_DAYS = 365
const DAY_SECONDS = 86_400

/**
 * Makes a static key and a certificate chain root -> intermediate -> leaf with real signatures.
 * Today's Baileys accepts any signature (see `isSignedBy`); a Baileys that checks them accepts these, once it trusts `root`.
 */
export function makeServerCertificate(root: KeyPair, nowMs: number = Date.now()): ServerCertificate {
  const staticKeys = makeKeyPair()
  const intermediateKeys = makeKeyPair()
  const validity = {
    notBefore: Math.floor(nowMs / 1000) - DAY_SECONDS,
    notAfter: Math.floor(nowMs / 1000) + VALID_DAYS * DAY_SECONDS,
  }
  const leafDetails = proto.CertChain.NoiseCertificate.Details.encode({
    serial: LEAF_SERIAL,
    issuerSerial: INTERMEDIATE_SERIAL,
    key: staticKeys.publicKey,
    ...validity,
  }).finish()
  const leaf = { details: leafDetails, signature: sign(intermediateKeys.privateKey, leafDetails) }

  const chainIssuedBy = (issuerSerial: number): Buffer => {
    const details = proto.CertChain.NoiseCertificate.Details.encode({
      serial: INTERMEDIATE_SERIAL,
      issuerSerial,
      key: intermediateKeys.publicKey,
      ...validity,
    }).finish()
    const intermediate = { details, signature: sign(root.privateKey, details) }
    return Buffer.from(proto.CertChain.encode({ leaf, intermediate }).finish())
  }
  return { staticKeys, chain: chainIssuedBy(ROOT_SERIAL), chainOfUnknownIssuer: chainIssuedBy(UNKNOWN_SERIAL) }
}
