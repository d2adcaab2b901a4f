/** Geometry of the two small charts: plain numbers in, SVG paths out. */
export interface Box {
  width: number
  height: number
}

/**
 * How many were connected, as steps: nothing is known between two counts, so no slope is drawn between them. Null is a time
 * of which nothing is known: a gap.
 */
export function stepArea(
  points: readonly { atMs: number; value: number | null }[],
  fromMs: number,
  toMs: number,
  most: number,
  { width, height }: Box,
): { line: string; area: string } {
  const x = (atMs: number): string => round(((clamp(atMs, fromMs, toMs) - fromMs) / (toMs - fromMs)) * width)
  const y = (value: number): string => round(height - (most === 0 ? 0 : (value / most) * height))
  let line = ''
  let area = ''
  let drawing = false
  for (const [index, { atMs, value }] of points.entries()) {
    if (value === null) {
      drawing = false
      continue
    }
    const end = x(points[index + 1]?.atMs ?? toMs)
    line += `${drawing ? `V${y(value)}` : `M${x(atMs)} ${y(value)}`}H${end}`
    area += `M${x(atMs)} ${height}V${y(value)}H${end}V${height}Z`
    drawing = true
  }
  return { line, area }
}

export interface Bar {
  x: number
  width: number
  /** From the top of the box. */
  y: number
  height: number
}

/** Bars of equal width over the window, with a gap of one unit between them; whatever is not zero can be seen. */
export function bars(values: readonly number[], most: number, { width, height }: Box): Bar[] {
  const pitch = width / Math.max(1, values.length)
  return values.map((value, index) => {
    const tall = value === 0 || most === 0 ? 0 : Math.max(1, (value / most) * height)
    return { x: index * pitch, width: Math.max(0.5, pitch - 1), y: height - tall, height: tall }
  })
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value))
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10)
}
