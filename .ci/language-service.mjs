// Check action.yml, workflows and the snippets of Markdown files with GitHub's own language service, offline:
//
//     node .ci-cache/language-service.cjs action.yml .github/workflows/*.yml README.md
//
// A step that uses this repository's action, by `./` or by a name that ends in `/landed`, is held against action.yml.
// Bundle it first: .ci/run does.
import fs from 'node:fs'
import path from 'node:path'
import { validate } from '@actions/languageservice'
import { TextDocument } from 'vscode-languageserver-textdocument'
import YAML from 'yaml'

const OURS = { owner: 'local', name: 'landed' }
const SEVERITIES = ['', 'error', 'warning']

const actionsMetadataProvider = {
  fetchActionMetadata: async ({ name }) =>
    name === OURS.name ? YAML.parse(fs.readFileSync('action.yml', 'utf8')) : { name, description: 'not looked at' },
}

// The fenced YAML blocks of a Markdown file that are whole workflows, at their line; any other file as one block.
function* blocks(file) {
  const text = fs.readFileSync(file, 'utf8')
  if (!file.endsWith('.md')) {
    yield { text, line: 0, name: file }
    return
  }
  for (const match of text.matchAll(/^```ya?ml\n(.*?)^```$/gms)) {
    if (/^jobs:/m.test(match[1])) {
      const line = text.slice(0, match.index).split('\n').length
      yield { text: match[1], line, name: `.github/workflows/${path.basename(file)}-${line}.yml` }
    }
  }
}

let wrong = 0
let checked = 0
for (const file of process.argv.slice(2)) {
  for (const { text, line, name } of blocks(file)) {
    const ours = text.replace(/uses: \.\/(?=\s)/g, `uses: ${OURS.owner}/${OURS.name}@v0`)
    const document = TextDocument.create(`file://${path.resolve(name)}`, 'yaml', 1, ours)
    checked += 1
    for (const found of await validate(document, { actionsMetadataProvider })) {
      const severity = SEVERITIES[found.severity ?? 1]
      if (!severity) continue
      wrong += 1
      console.log(`${file}:${line + found.range.start.line + 1}: ${severity}: ${found.message}`)
    }
  }
}
console.log(`language service: ${checked} documents, ${wrong} problems`)
process.exitCode = wrong ? 1 : 0
