/** The look of the API's page. */
export const DOCS_STYLE = `
:root { color-scheme: light dark; --edge: #8886; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; } h4 { margin: 1rem 0 .25rem; }
nav a { margin-right: 1rem; }
code, pre { font: 14px/1.5 ui-monospace, monospace; }
pre { background: var(--soft); padding: .75rem; overflow-x: auto; border-radius: 6px; }
details { border: 1px solid var(--edge); border-radius: 6px; margin: .4rem 0; padding: .4rem .75rem; }
summary { cursor: pointer; } summary span { margin-left: .5rem; }
summary b { display: inline-block; min-width: 4.5rem; font-size: .85rem; }
table { border-collapse: collapse; } td { border-top: 1px solid var(--edge); padding: .25rem .75rem .25rem 0; vertical-align: top; }
small { font-weight: normal; opacity: .75; }
`
