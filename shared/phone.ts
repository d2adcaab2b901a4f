/**
 * A phone number in E.164 (`+40712345678`) from the forms people write: `+40 712 345 678`, `0040-712-345-678`,
 * `(+40) 712.345.678`, `+44 (0)20 7946 0958`, `40712345678`. Undefined when it is none of them; a national number
 * (a single leading zero) is none, because its country is unknown.
 */
export function parsePhone(text: string): string | undefined {
  const plain = text
    // Marks of writing direction and width, invisible, come along when a number is copied from contacts or a chat.
    .replace(/[\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/g, '')
    .trim()
    .replace(/\(0\)/g, '')
    .replace(/[\s().\-\u2010-\u2015\u00a0/]/g, '')
    .replace(/^00/, '+')
  // E.164: at most 15 digits, the first never zero. Seven is the shortest subscriber number with a country code in use.
  const match = /^\+?([1-9]\d{6,14})$/.exec(plain)
  return match ? `+${match[1]}` : undefined
}

/**
 * Whether two numbers in E.164 are one WhatsApp. Its own addresses keep older forms of some countries' mobile numbers:
 * Mexico with a 1 (+52 1 ...), Argentina with or without the 9 (+54 9 ...), Brazil with or without the ninth digit.
 */
export function isSamePhone(a: string, b: string): boolean {
  return withoutVariants(a) === withoutVariants(b)
}

function withoutVariants(phone: string): string {
  return phone
    .replace(/^\+521(\d{10})$/, '+52$1')
    .replace(/^\+549(\d{10})$/, '+54$1')
    .replace(/^\+55(\d{2})9(\d{8})$/, '+55$1$2')
}

/** For people and logs: `+407****97`. Too short to hide anything behind: only stars. */
export function maskPhone(phone: string): string {
  const digits = phone.replace(/\D/g, '')
  return digits.length < 7 ? '+****' : `+${digits.slice(0, 3)}****${digits.slice(-2)}`
}

/** The digits of a WhatsApp address (`40712345678:12@s.whatsapp.net`) as E.164; undefined for anything else. */
export function phoneOfJid(jid: string): string | undefined {
  const match = /^(\d{7,15})(?::\d+)?@s\.whatsapp\.net$/.exec(jid)
  return match ? `+${match[1]}` : undefined
}

/** `text` with every run of seven or more digits masked: for text of others (a library's error) on its way to a log. */
export function maskNumbers(text: string): string {
  return text.replace(/\d{7,}/g, (digits) => `${digits.slice(0, 3)}****${digits.slice(-2)}`)
}
