/** The client's decoder, for tests that read what a transport wrote. */
export { type DecodedEvent, type Decoder, type DecoderOptions, createDecoder } from '../protocol/decode.ts';
export { type ContractCase, type LogFactory, type OpenLogOptions } from './contract-case.ts';
export { logContract } from './log-contract.ts';
export {
  type LineageContractCase,
  type LosingLog,
  type LosingLogFactory,
  lineageContract,
} from './lineage-contract.ts';
export { type ManualClock, createManualClock } from './manual-clock.ts';
export { type SharedContractCase, type SharedLogFactory, sharedLogContract } from './shared-log-contract.ts';
export {
  type RunningTransport,
  type TransportCase,
  type TransportFactory,
  transportContract,
} from './transport-contract.ts';
