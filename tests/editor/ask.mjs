// Asks the engines that authors meet: VS Code's and Monaco's JSON service, and ajv.
// stdin: {schemas: {key: schema}, documents: [[key, text]], cursors: [[key, text, offset]]}
// stdout: {compiled: {key: error or null}, documents: [{ajv, marks: [[text, message]]}],
//          cursors: [{labels: {label: documentation}, inserted: {label: text}, hover}]}
import { readFileSync } from "node:fs";
import Ajv from "ajv/dist/2020.js";
import json from "vscode-json-languageservice";

const { getLanguageService, TextDocument } = json;

const asked = JSON.parse(readFileSync(0, "utf8"));
const capabilities = {
  textDocument: {
    completion: { completionItem: { documentationFormat: ["plaintext"], snippetSupport: true } },
  },
};

const engines = {};
const compiled = {};
for (const [key, schema] of Object.entries(asked.schemas)) {
  const ajv = new Ajv.default({ strict: true, strictTypes: false, strictRequired: false });
  // Words of the editor's engine, no others: a misspelt keyword is still an error.
  ajv.addVocabulary(["errorMessage", "enumDescriptions", "defaultSnippets", "doNotSuggest"]);
  const service = getLanguageService({
    clientCapabilities: capabilities,
    // A document that names a schema gets this one, whatever path it names.
    schemaRequestService: async () => JSON.stringify(schema),
  });
  service.configure({
    validate: true,
    schemas: [{ uri: `test://${key}`, fileMatch: ["*"], schema }],
  });
  compiled[key] = null;
  let isValid = () => false;
  try {
    isValid = ajv.compile(schema);
  } catch (error) {
    compiled[key] = String(error);
  }
  engines[key] = { isValid, service };
}

const documentOf = (text) => TextDocument.create("file:///net.json", "json", 1, text);

const documents = [];
for (const [key, text] of asked.documents) {
  const { isValid, service } = engines[key];
  const document = documentOf(text);
  const found = await service.doValidation(document, service.parseJSONDocument(document));
  documents.push({
    ajv: isValid(JSON.parse(text)),
    marks: found.map(({ range, message }) => [document.getText(range), message]),
  });
}

const cursors = [];
for (const [key, text, offset] of asked.cursors) {
  const { service } = engines[key];
  const document = documentOf(text);
  const parsed = service.parseJSONDocument(document);
  const position = document.positionAt(offset);
  const { items } = await service.doComplete(document, position, parsed);
  const hover = await service.doHover(document, position, parsed);
  cursors.push({
    labels: Object.fromEntries(items.map((item) => [item.label, item.documentation ?? ""])),
    inserted: Object.fromEntries(items.map((item) => [item.label, item.insertText])),
    hover: (hover?.contents ?? []).join("\n").replaceAll("\\", ""),
  });
}

process.stdout.write(JSON.stringify({ compiled, documents, cursors }));
