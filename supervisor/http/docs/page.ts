/** The API's description as a page for people: made of the document, without a script. */
interface Schema {
  type?: string | string[]
  const?: unknown
  enum?: unknown[]
  anyOf?: Schema[]
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  description?: string
  additionalProperties?: unknown
}
interface Operation {
  tags?: string[]
  summary?: string
  description?: string
  security?: object[]
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema?: Schema }[]
  requestBody?: { content?: Record<string, { schema?: Schema }> }
  responses?: Record<string, { description?: string; content?: Record<string, { schema?: Schema }> }>
}
export interface ApiDocument {
  info: { title: string; description?: string }
  tags?: { name: string; description?: string }[]
  paths?: Record<string, Record<string, unknown>>
}

const METHODS = ['get', 'post', 'patch', 'put', 'delete'] as const

export function docsPage({ info, tags = [], paths = {} }: ApiDocument): string {
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = item[method]
      return operation === undefined ? [] : [{ path, method, operation: operation as Operation }]
    }),
  )
  const sections = tags.map(({ name, description = '' }) => {
    const own = operations.filter(({ operation }) => operation.tags?.includes(name))
    return `<section><h2 id="${escape(name)}">${escape(description || name)}</h2>${own.map(describe).join('')}</section>`
  })
  const links = tags.map(({ name }) => `<a href="#${escape(name)}">${escape(name)}</a>`).join(' ')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(info.title)}: API</title>
<link rel="stylesheet" href="/docs/style.css">
</head>
<body>
<header><h1>${escape(info.title)}: API</h1>${prose(info.description ?? '')}
<p>The same for programs: <a href="/openapi.json">openapi.json</a>. <a href="/">Dashboard</a></p><nav>${links}</nav></header>
<main>${sections.join('')}</main>
</body>
</html>
`
}

function describe({ path, method, operation }: { path: string; method: string; operation: Operation }): string {
  const { summary = '', description = '', parameters = [], requestBody, responses = {}, security } = operation
  const isOpen = security?.length === 0
  const rows = parameters.map(
    ({ name, in: place, required, description: what = '', schema = {} }) =>
      `<tr><td><code>${escape(name)}</code></td><td>${escape(place)}${required === true ? '' : ', optional'}</td>` +
      `<td>${escape(typeOf(schema))}</td><td>${escape(what)}</td></tr>`,
  )
  const body = Object.values(requestBody?.content ?? {})[0]?.schema
  const answers = Object.entries(responses).flatMap(([status, { content = {} }]) =>
    // The one shape of all errors stands in the header.
    /^[45]XX$/i.test(status)
      ? []
      : Object.entries(content).map(
          ([type, { schema = {} }]) =>
            `<h4>${escape(status)} <small>${escape(type)}</small></h4><pre>${escape(shapeOf(schema))}</pre>`,
        ),
  )
  return `<details>
<summary><b class="${method}">${method.toUpperCase()}</b> <code>${escape(path)}</code> <span>${escape(summary)}</span></summary>
${isOpen ? '<p>Needs no token.</p>' : ''}${prose(description)}
${rows.length > 0 ? `<table>${rows.join('')}</table>` : ''}
${body === undefined ? '' : `<h4>Body <small>application/json</small></h4><pre>${escape(shapeOf(body))}</pre>`}
${answers.join('')}
</details>`
}

/** Paragraphs and lists; what stands between backticks is code. */
function prose(text: string): string {
  return text
    .split(/\n\n+/)
    .filter((part) => part !== '')
    .map((part) => {
      const html = escape(part).replace(/`([^`]+)`/g, '<code>$1</code>')
      return html.startsWith('- ') ? `<ul>${html.replace(/(?:^|\n)- ([^\n]*)/g, '<li>$1</li>')}</ul>` : `<p>${html}</p>`
    })
    .join('')
}

function typeOf(schema: Schema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' | ')
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(' | ')
  return [schema.type ?? 'anything'].flat().join(' | ')
}

/** A schema as people write JSON. */
function shapeOf(schema: Schema, indent = ''): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map((each) => shapeOf(each, indent)).join(' | ')
  if (schema.type === 'array') return `[${shapeOf(schema.items ?? {}, indent)}]`
  const { properties } = schema
  if (properties === undefined || Object.keys(properties).length === 0) {
    return schema.type === 'object' ? '{}' : typeOf(schema)
  }
  const inner = `${indent}  `
  const lines = Object.entries(properties).map(([name, value]) => {
    const isOptional = schema.required?.includes(name) !== true
    const note = value.description === undefined ? '' : `  // ${value.description}`
    return `${inner}${name}${isOptional ? '?' : ''}: ${shapeOf(value, inner)}${note}`
  })
  return `{\n${lines.join('\n')}\n${indent}}`
}

function escape(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character)
}
