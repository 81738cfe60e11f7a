// Rebuilds the cells of contracts/vectors/ton.json with TON's own JavaScript library and prints their hashes.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const [modules, file] = process.argv.slice(2);
const need = (name) => require(require.resolve(name, { paths: [path.dirname(modules)] }));
const { Address, Cell, beginCell, contractAddress, internal, storeMessageRelaxed } = need('@ton/core');
const { keyPairFromSeed, sign, signVerify } = need('@ton/crypto');

const v = JSON.parse(fs.readFileSync(file, 'utf8'));
const at = (raw) => Address.parseRaw(raw);
const id = (raw) => BigInt(`0x${raw.slice(2)}`);
const q = v.quote;

function jettonWallet(owner, minter) {
  const code = Cell.fromBase64(v.wallet_code);
  const data = beginCell().storeUint(0, 4).storeCoins(0).storeAddress(at(owner)).storeAddress(at(minter)).endCell();
  return contractAddress(0, { code, data });
}
const asset = (owner, minter) => id(jettonWallet(owner, minter).toRawString());

const terms = beginCell()
  .storeUint(asset(q.maker, q.maker_minter), 256)
  .storeUint(asset(q.maker, q.taker_minter), 256)
  .storeCoins(BigInt(q.maker_amount)).storeCoins(BigInt(q.taker_amount)).storeCoins(BigInt(q.min_fill))
  .endCell();
const fee = beginCell().storeUint(q.fee_bps, 16).storeUint(id(q.fee_recipient), 256).endCell();
const quote = beginCell()
  .storeUint(0x444d4d51, 32).storeInt(q.network, 32).storeUint(id(q.maker), 256).storeUint(id(q.taker), 256)
  .storeUint(q.settle_by, 32).storeUint(q.settle_by, 32).storeUint(q.nonce, 32).storeUint(BigInt(`0x${q.quote_id}`), 256)
  .storeRef(terms).storeMaybeRef(fee).storeMaybeRef(null)
  .endCell();
const maker = keyPairFromSeed(Buffer.from(v.maker_seed, 'hex'));
const makerSignature = sign(quote.hash(), maker.secretKey);

const gross = BigInt(q.maker_amount);
const net = gross - (gross * BigInt(q.fee_bps) + 9999n) / 10000n;
const signed = beginCell().storeBuffer(makerSignature).storeRef(quote).endCell();
const fill = beginCell()
  .storeUint(0x444d0101, 32).storeUint(q.nonce, 64).storeCoins(BigInt(q.taker_amount)).storeCoins(net)
  .storeAddress(at(v.recipient)).storeCoins(0).storeMaybeRef(null).storeRef(signed)
  .endCell();
const transfer = beginCell()
  .storeUint(0x0f8a7ea5, 32).storeUint(q.nonce, 64).storeCoins(BigInt(q.taker_amount))
  .storeAddress(at(q.maker)).storeAddress(at(q.taker)).storeMaybeRef(null)
  .storeCoins(BigInt(v.fill_nanoton)).storeBit(1).storeRef(fill)
  .endCell();
const message = beginCell().store(storeMessageRelaxed(internal({
  to: jettonWallet(q.taker, q.taker_minter), value: BigInt(v.taker_nanoton), bounce: true, body: transfer,
}), { forceRef: true })).endCell();
const order = beginCell()
  .storeUint(0x10ad, 32).storeRef(message).storeUint(1, 8).storeUint(v.query_id, 23)
  .storeUint(q.expiry - 86400, 64).storeUint(v.timeout, 22)
  .endCell();
const taker = keyPairFromSeed(Buffer.from(v.taker_seed, 'hex'));
const wallet = contractAddress(0, {
  code: Cell.fromBase64(v.highload_code),
  data: beginCell().storeBuffer(taker.publicKey).storeUint(0x10ad, 32).storeMaybeRef(null).storeMaybeRef(null)
    .storeUint(0, 64).storeUint(v.timeout, 22).endCell(),
});
const takerSignature = sign(order.hash(), taker.secretKey);
const body = beginCell().storeBuffer(takerSignature).storeRef(order).endCell();
process.stdout.write(JSON.stringify({
  quote_hash: quote.hash().toString('hex'),
  maker_signature: makerSignature.toString('hex'),
  transfer_hash: transfer.hash().toString('hex'),
  message_hash: message.hash().toString('hex'),
  order_hash: order.hash().toString('hex'),
  taker_signature: takerSignature.toString('hex'),
  taker: wallet.toRawString(),
  message_id: `${wallet.toRawString()}/${body.hash().toString('hex')}`,
  verified: signVerify(order.hash(), takerSignature, taker.publicKey),
}));
