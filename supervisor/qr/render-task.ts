import { toDataURL } from 'qrcode'

/**
 * A QR code as the data URL of a PNG; runs in a piscina thread. 4 modules of white around it and 6 pixels a module: what
 * phones read from a screen at arm's length.
 */
export async function renderQr(text: string): Promise<string> {
  return toDataURL(text, { type: 'image/png', errorCorrectionLevel: 'L', margin: 4, scale: 6 })
}
