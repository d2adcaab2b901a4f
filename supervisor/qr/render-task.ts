import { toDataURL, toString } from 'qrcode'

/** 4 modules of white around it and 6 pixels a module: what phones read from a screen at arm's length. */
const LOOK = { errorCorrectionLevel: 'L', margin: 4 } as const
const SCALE = 6

export type QrFormat = 'png' | 'svg' | 'text'

/**
 * A QR code as the data URL of a PNG, as SVG, or as text of half blocks for a terminal; runs in a piscina thread.
 */
export async function renderQr({ text, format }: { text: string; format: QrFormat }): Promise<string> {
  switch (format) {
    case 'png':
      return toDataURL(text, { ...LOOK, type: 'image/png', scale: SCALE })
    case 'svg':
      return toString(text, { ...LOOK, type: 'svg' })
    case 'text':
      return toString(text, { ...LOOK, type: 'utf8', margin: 2 })
    default:
      return format satisfies never
  }
}
