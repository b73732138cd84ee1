// What the server says, as archspec/studio/looking.py and the modules it asks make it.

export interface Fix {
  title: string;
  edits: { from: number; to: number; insert: string }[];
}

export interface Mark {
  from: number;
  to: number;
  severity: "error" | "warning";
  message: string;
  where: string;
  line: number;
  stack: string[];
  fixes: Fix[];
}

export type Kind = "broken" | "library" | "space" | "network";

export interface Totals {
  nodes: number;
  params: number;
  buffers: number;
  macs: number;
  memory: number;
  peak: number;
  peak_node: string;
}

/** name, op, nodes, output, parameters, MACs, bytes, what it sees */
export type Row = [string, string, number, string, number, number, number, number | "all"];

export interface Arg {
  name: string;
  doc: string;
  schema: Record<string, any>;
  value: unknown;
}

export interface Choice {
  key: string;
  options: unknown[];
  taken: unknown;
}

export interface Figures {
  name: string;
  doc: string;
  input: number[];
  outputs: Record<string, string>;
  totals: Totals;
  saved: Totals | null;
  blocks: Row[];
  nodes: Row[];
  left_out: number;
  args: Arg[];
  choices: Choice[];
}

export interface Box {
  span: [string, string];
  count: number;
  copies: number;
  block: boolean;
  folded: boolean;
  output: string;
  params: number;
  macs: number;
  memory: number;
  places: number[];
}

export interface Picture {
  svg: string;
  width: number;
  height: number;
  boxes: Record<string, Box>;
  places: [number, number][];
}

export interface Finding {
  rule: string;
  node: string;
  what: string;
  cost_ms: number;
  saved_ms: number | null;
  share: number;
  advice: string;
}

export interface Times {
  device: string;
  ms: number | null;
  ms_by_node: Record<string, number>;
  cautions: string[];
  findings: Finding[];
  ms_by_box?: Record<string, number>;
  saved_ms?: number | null;
}

export interface Settings {
  args: Record<string, unknown>;
  input: number[] | null;
  batch: number;
  device: string;
  decisions: Record<string, unknown> | string;
  folded: string[];
}
