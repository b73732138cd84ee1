// How the editor looks: the page's own colours, few of them.
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

export const highlighting = syntaxHighlighting(
  HighlightStyle.define([
    { tag: tags.propertyName, color: "var(--ink)" },
    { tag: tags.string, color: "var(--text-string)" },
    { tag: tags.number, color: "var(--text-number)" },
    { tag: [tags.bool, tags.null], color: "var(--text-number)" },
    { tag: [tags.separator, tags.squareBracket, tags.brace], color: "var(--faint)" },
  ]),
);

export const colours = EditorView.theme({
  "&": { height: "100%", color: "var(--ink)", backgroundColor: "var(--paper)", fontSize: "13px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5" },
  ".cm-content": { caretColor: "var(--ink)", padding: "8px 0" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "var(--paper)", color: "var(--faint)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--active)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "var(--selection)",
  },
  ".cm-selectionMatch": { backgroundColor: "var(--selection-faint)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--selection)", outline: "none" },
  ".cm-hint::after": { content: "attr(data-label)", color: "var(--faint)", fontFamily: "var(--face)", fontSize: "11.5px", paddingLeft: "10px" },
  ".cm-panels": { backgroundColor: "var(--panel)", color: "var(--ink)", borderColor: "var(--frame)" },
  ".cm-panels input, .cm-panels button, .cm-panels label": { fontFamily: "var(--face)" },
  ".cm-textfield": { backgroundColor: "var(--paper)", border: "1px solid var(--frame)" },
  ".cm-button": { backgroundImage: "none", backgroundColor: "var(--strip)", border: "1px solid var(--frame)" },
  ".cm-tooltip": {
    backgroundColor: "var(--paper)",
    color: "var(--ink)",
    border: "1px solid var(--frame)",
    borderRadius: "4px",
    boxShadow: "0 4px 14px var(--shadow)",
    fontFamily: "var(--face)",
  },
  ".cm-diagnostic": { padding: "6px 10px", whiteSpace: "pre-wrap", maxWidth: "460px" },
  ".cm-diagnostic-error": { borderLeft: "3px solid var(--error)" },
  ".cm-diagnostic-warning": { borderLeft: "3px solid var(--warning)" },
  ".cm-diagnosticAction": {
    backgroundColor: "var(--accent)",
    color: "var(--accent-ink)",
    border: "none",
    borderRadius: "3px",
    padding: "2px 8px",
    cursor: "pointer",
  },
  ".cm-lintRange-error": { backgroundImage: "none", borderBottom: "2px solid var(--error)" },
  ".cm-lintRange-warning": { backgroundImage: "none", borderBottom: "2px dotted var(--warning)" },
  ".cm-gutter-lint": { width: "12px" },
  ".cm-gutter-lint .cm-gutterElement": { padding: "0" },
  ".cm-lint-marker": { width: "8px", height: "8px", margin: "6px 2px", borderRadius: "4px", content: "none" },
  ".cm-lint-marker-error": { backgroundColor: "var(--error)" },
  ".cm-lint-marker-warning": { backgroundColor: "var(--warning)" },
  ".cm-foldGutter .cm-gutterElement": { color: "var(--faint)", cursor: "pointer", padding: "0 4px" },
  ".cm-foldPlaceholder": { backgroundColor: "var(--strip)", border: "none", color: "var(--faint)" },
  ".cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", maxHeight: "16em" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": {
    backgroundColor: "var(--accent)",
    color: "var(--accent-ink)",
  },
  ".cm-completionDetail": { fontStyle: "normal", color: "var(--faint)", fontFamily: "var(--face)" },
  "li[aria-selected] .cm-completionDetail": { color: "var(--accent-ink)" },
  ".cm-completionInfo": { padding: "8px 10px", maxWidth: "360px", lineHeight: "1.4" },
});
