/** What a cluster tells whoever watches it; in the order in which it happens. */
export type ClusterEvent =
  | { readonly kind: 'starting'; readonly process: string }
  | { readonly kind: 'ready'; readonly process: string; readonly durationMs: number }
  /** Nobody asked for it; the message has its exit code and its last lines. */
  | { readonly kind: 'ended'; readonly process: string; readonly message: string }
  | { readonly kind: 'restarting'; readonly process: string; readonly delayMs: number }
  | { readonly kind: 'given-up'; readonly process: string; readonly tries: number }
  /** It did not stop by itself and was killed. */
  | { readonly kind: 'killed'; readonly process: string };

export type ClusterListener = (event: ClusterEvent) => void;
