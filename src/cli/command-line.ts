/** The one file that knows which library parses the command line. */
export { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
