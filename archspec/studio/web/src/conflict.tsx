// A file that was changed by another program meanwhile: both texts side by side, and nothing is lost.
import { json } from "@codemirror/lang-json";
import { MergeView } from "@codemirror/merge";
import { EditorState } from "@codemirror/state";
import { EditorView, lineNumbers } from "@codemirror/view";
import { useEffect, useRef } from "preact/hooks";
import { Dialog } from "./dialog";
import { text } from "./editor";
import { colours, highlighting } from "./editor_style";
import { conflict, save, takeOther } from "./filing";

export function Conflict() {
  const found = conflict.value;
  if (!found) return null;
  return (
    <Dialog title={`${found.name} was changed by another program`} wide close={() => (conflict.value = null)}>
      <p class="sides">
        <span>on disk now</span>
        <span>here</span>
      </p>
      <Both left={found.text.replaceAll("\r\n", "\n")} right={text()} />
      <p class="buttons">
        <button onClick={() => void save(undefined, found.sum)}>write mine over it</button>
        <button onClick={() => takeOther(found)}>take what is on disk</button>
        <span class="grow" />
        <button onClick={() => (conflict.value = null)}>neither yet</button>
      </p>
    </Dialog>
  );
}

function Both({ left, right }: { left: string; right: string }) {
  const holder = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const nonce = document.querySelector<HTMLMetaElement>("meta[name=style-nonce]")!.content;
    const extensions = [
      EditorView.cspNonce.of(nonce), EditorState.readOnly.of(true), EditorView.editable.of(false),
      lineNumbers(), json(), colours, highlighting,
    ];
    const view = new MergeView({
      a: { doc: left, extensions }, b: { doc: right, extensions },
      parent: holder.current!, collapseUnchanged: { margin: 3, minSize: 8 },
    });
    return () => view.destroy();
  }, [left, right]);
  return <div class="both" ref={holder} tabIndex={0} role="group" aria-label="on disk to the left, here to the right" />;
}
