import { createHmac, randomBytes } from 'node:crypto'
import { proto, WA_ADV_ACCOUNT_SIG_PREFIX, WA_ADV_DEVICE_SIG_PREFIX } from '@whiskeysockets/baileys'
import { isSignedBy, sign, type KeyPair } from './keys.ts'

/** What the phone signs when it links a device ("ADV": authenticated device verification). */
export interface SignedDeviceIdentity {
  readonly details: Buffer
  /** The content of pair-success' `<device-identity>`: the signed identity under an HMAC that only the QR's owner knows. */
  readonly sealed: Buffer
}

/**
 * Makes the identity of a device to be linked, signed with the phone's identity key and sealed with `advSecret`,
 * the 32 bytes from the QR text (or agreed through the pairing code).
 */
export function signDeviceIdentity(
  phoneIdentity: KeyPair,
  device: { readonly identityKey: Buffer; readonly keyIndex: number; readonly advSecret: Buffer },
): SignedDeviceIdentity {
  const details = Buffer.from(
    proto.ADVDeviceIdentity.encode({
      rawId: randomBytes(4).readUInt32BE(),
      timestamp: Math.floor(Date.now() / 1000),
      keyIndex: device.keyIndex,
      accountType: proto.ADVEncryptionType.E2EE,
      deviceType: proto.ADVEncryptionType.E2EE,
    }).finish(),
  )
  const accountSignature = sign(
    phoneIdentity.privateKey,
    Buffer.concat([WA_ADV_ACCOUNT_SIG_PREFIX, details, device.identityKey]),
  )
  const signed = proto.ADVSignedDeviceIdentity.encode({
    details,
    accountSignatureKey: phoneIdentity.publicKey,
    accountSignature,
  }).finish()
  const hmac = createHmac('sha256', device.advSecret).update(signed).digest()
  return { details, sealed: Buffer.from(proto.ADVSignedDeviceIdentityHMAC.encode({ details: signed, hmac }).finish()) }
}

/** Whether the device countersigned the identity: `answer` is the content of `<pair-device-sign>`'s `<device-identity>`. */
export function isCountersigned(
  answer: Buffer,
  details: Buffer,
  phoneIdentityKey: Buffer,
  deviceIdentityKey: Buffer,
): boolean {
  const { details: answered, deviceSignature } = proto.ADVSignedDeviceIdentity.decode(answer)
  if (!deviceSignature || !answered || !details.equals(answered)) return false
  const signed = Buffer.concat([WA_ADV_DEVICE_SIG_PREFIX, details, deviceIdentityKey, phoneIdentityKey])
  return isSignedBy(deviceIdentityKey, signed, deviceSignature)
}
