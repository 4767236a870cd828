// What Mermaid makes of flowcharts: texts as a JSON list on standard input, for each its nodes and edges on standard
// output. The argument is the folder of node's packages.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const packages = createRequire(pathToFileURL(`${process.argv[2]}/`))
const { JSDOM } = packages('jsdom')
const { window } = new JSDOM('')
Object.assign(globalThis, { window, document: window.document, Element: window.Element, DOMParser: window.DOMParser })
const { default: mermaid } = await import(pathToFileURL(`${process.argv[2]}/mermaid/dist/mermaid.core.mjs`))

let input = ''
for await (const chunk of process.stdin) input += chunk
const found = []
for (const text of JSON.parse(input)) {
  await mermaid.parse(text)
  const { type, db } = await mermaid.mermaidAPI.getDiagramFromText(text)
  const label = (written) => written.replace(/ﬂ°°(\d+)¶ß/g, (_, code) => String.fromCodePoint(Number(code)))
  found.push({
    type,
    nodes: [...db.getVertices().values()].map(({ id, text, classes, link }) => [id, label(text), classes, link ?? null]),
    edges: db.getEdges().map(({ start, end }) => [start, end]),
  })
}
console.log(JSON.stringify(found))
process.exit(0)
