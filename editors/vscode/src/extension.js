// Starts `archspec lsp` for the files that are specs, and opens one in `archspec studio`.

const { Uri, commands, languages, window, workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

function settings() {
  return workspace.getConfiguration("archspec");
}

function selector() {
  return settings()
    .get("files")
    .map((pattern) => ({ scheme: "file", pattern }));
}

async function start() {
  const [command, ...first] = settings().get("command");
  client = new LanguageClient(
    "archspec",
    "archspec",
    { command, args: [...first, "lsp"] },
    { documentSelector: selector(), synchronize: { fileEvents: workspace.createFileSystemWatcher("**/*.json") } },
  );
  try {
    await client.start();
  } catch (error) {
    client = undefined;
    const words = [command, ...first].join(" ");
    window.showErrorMessage(
      `archspec cannot be started as "${words} lsp"; install it with its extra lsp, or set archspec.command (${error.message})`,
    );
  }
}

async function stop() {
  const old = client;
  client = undefined;
  await old?.dispose();
}

function isSpec(document) {
  return document !== undefined && languages.match(selector(), document) > 0;
}

function noteSpec(editor) {
  commands.executeCommand("setContext", "archspec.isSpec", isSpec(editor?.document));
}

// A terminal that runs the command itself, without a shell that would read the file's name.
async function openStudio(resource) {
  const editor = window.activeTextEditor;
  const uri = resource instanceof Uri ? resource : editor?.document.uri;
  if (uri?.scheme !== "file") {
    window.showErrorMessage("The studio opens files; save this text first.");
    return;
  }
  await workspace.save?.(uri);
  const isShown = editor?.document.uri.fsPath === uri.fsPath;
  const line = isShown ? `:${editor.selection.active.line + 1}` : "";
  const [command, ...first] = settings().get("command");
  const terminal = window.createTerminal({
    name: "archspec studio",
    shellPath: command,
    shellArgs: [...first, "studio", uri.fsPath + line],
    cwd: workspace.getWorkspaceFolder(uri)?.uri,
  });
  terminal.show(true);
}

async function restart() {
  await stop();
  await start();
  noteSpec(window.activeTextEditor);
}

exports.activate = async function activate(context) {
  context.subscriptions.push(
    commands.registerCommand("archspec.openStudio", openStudio),
    commands.registerCommand("archspec.restart", restart),
    window.onDidChangeActiveTextEditor(noteSpec),
    workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("archspec")) restart();
    }),
  );
  noteSpec(window.activeTextEditor);
  await start();
};

exports.deactivate = stop;
