/** Business ids: a prefix that says what it is and a time-ordered UUID, so that paging by id is paging by time. */
import { v7 as uuidv7 } from 'uuid';

export type IdPrefix =
  | 'ten'
  | 'key'
  | 'act'
  | 'aud'
  | 'plan'
  | 'cus'
  | 'sub'
  | 'evt'
  | 'inv'
  | 'line'
  | 'pau'
  | 'cpn'
  | 'red'
  | 'ltax'
  | 'rate'
  | 'tcal'
  | 'trec'
  | 'dpol'
  | 'dcase'
  | 'dstep'
  | 'att'
  | 'rzo'
  | 'rzp'
  | 'rzs'
  | 'cbc'
  | 'pay'
  | 'ref'
  | 'cn'
  | 'cnl'
  | 'dsp'
  | 'ltx'
  | 'len'
  | 'ntf'
  | 'inb'
  | 'tst'
  | 'mov'
  | 'fxr'
  | 'cacc'
  | 'cin'
  | 'cev'
  | 'cact'
  | 'cpo'
  | 'clot'
  | 'cdis'
  | 'cdp';

/** `sub_0198f1c0…` */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${uuidv7().replaceAll('-', '')}`;
}
