export interface QueueRecord {
  readonly name: string
  /** Both null: it is not paused. */
  readonly pausedAt: number | null
  readonly pausedBy: string | null
  /** Both null: it is paused, or never was. */
  readonly resumedAt: number | null
  readonly resumedBy: string | null
}

export interface QueueStore {
  /** Nothing of a paused queue is claimed; what runs goes on. Answers whether that changed anything. */
  pause(name: string, actor: string): Promise<boolean>
  resume(name: string, actor: string): Promise<boolean>
  list(): Promise<readonly QueueRecord[]>
}
