/** One of the views behind the links at the top. */
export interface View {
  /** Asks the API and shows the answer. Called when the view is opened, and every other second while it is seen. */
  refresh?(): Promise<void>;
  /** The view is opened. */
  open?(): void;
  /** Another one is. */
  leave?(): void;
}
