// Reads Adaptive Cards, a JSON array on standard input, with Microsoft's own parser, and writes what it says against each
// card, and what it has read of it: a JSON array of {"problems": [...], "texts": [...]}. The package's folder is the argument.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(import.meta.url);
const { AdaptiveCard, SerializationContext, Versions } = require(`${process.argv[2]}/dist/adaptivecards.min.js`);

function judge(written) {
  const context = new SerializationContext(Versions.v1_4);
  const card = new AdaptiveCard();
  card.parse(written, context);
  const events = Array.from({ length: context.eventCount }, (_, index) => context.getEventAt(index).message);
  const failures = card.validateProperties().validationEvents.map((event) => event.message);
  const again = card.toJSON(new SerializationContext(Versions.v1_4));
  return { problems: [...events, ...failures], texts: texts(again) };
}

function texts(value) {
  if (Array.isArray(value)) return value.flatMap(texts);
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([name, below]) => (name === "text" ? [below] : texts(below)));
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(judge)));
