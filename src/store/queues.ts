export interface QueueRecord {
  readonly name: string
  readonly pausedAt: number | null
  readonly pausedBy: string | null
}

export interface QueueStore {
  /** Nothing of a paused queue is claimed; what runs goes on. Answers whether that changed anything. */
  pause(name: string, actor: string): Promise<boolean>
  resume(name: string): Promise<boolean>
  list(): Promise<readonly QueueRecord[]>
}
