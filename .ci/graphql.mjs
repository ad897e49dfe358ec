// Asks GitHub's own schema what it thinks of the GraphQL queries that the tests make: node graphql.mjs FILE... It runs in
// the folder in which graphql and @octokit/graphql-schema are installed.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(process.cwd() + '/')
const { buildSchema, getVariableValues, parse, validate } = require('graphql')
const schema = buildSchema(readFileSync('node_modules/@octokit/graphql-schema/schema.graphql', 'utf8'), { assumeValid: true })

// problems are what a server would refuse of a query and of its variables.
function problems({ query, variables = {} }) {
  let document
  try {
    document = parse(query)
  } catch (error) {
    return [error.message]
  }
  const found = validate(schema, document)
  for (const operation of document.definitions) {
    if (found.length === 0 && operation.kind === 'OperationDefinition') {
      found.push(...(getVariableValues(schema, operation.variableDefinitions ?? [], variables).errors ?? []))
      for (const name of Object.keys(variables)) {
        if (!operation.variableDefinitions?.some((one) => one.variable.name.value === name)) {
          found.push({ message: `the variable $${name} is given and not declared` })
        }
      }
    }
  }
  return found.map((error) => error.message)
}

let failed = false
function demand(holds, text) {
  if (!holds) {
    failed = true
    console.error(text)
  }
}

// That it can refuse anything at all.
for (const wrong of [
  { query: '{viewer{nickname}}' }, { query: '{viewer}' }, { query: '{viewer{login}' },
  { query: 'query($ids:[ID!]!){nodes(ids:$ids){id}}' }, { query: 'query($n:Int!){nodes(ids:$n){id}}', variables: { n: 1 } },
  { query: '{viewer{login}}', variables: { ids: ['x'] } },
]) {
  demand(problems(wrong).length > 0, `the schema takes what is wrong: ${JSON.stringify(wrong)}`)
}

let asked = 0
for (const file of process.argv.slice(2)) {
  for (const request of JSON.parse(readFileSync(file, 'utf8'))) {
    if (request.path === '/graphql') {
      asked++
      const found = problems(request.body)
      demand(found.length === 0, `${request.body.query}\n  ${found.join('\n  ')}`)
    }
  }
}
demand(asked > 0, 'no query was asked about')
console.log(`asked GitHub's schema about ${asked} queries`)
process.exit(failed ? 1 : 0)
