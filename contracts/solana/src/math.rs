//! Amounts without 128-bit numbers, which this target can neither multiply nor divide.

pub const BPS_ONE: u64 = 10_000;

/// ceil(amount · bps / 10 000): rounded up like any cost. `bps` is at most 10 000.
#[inline(always)]
pub fn fee_of(amount: u64, bps: u16) -> u64 {
    let bps = bps as u64;
    (amount / BPS_ONE) * bps + ((amount % BPS_ONE) * bps + BPS_ONE - 1) / BPS_ONE
}

/// floor(a · b / c) for b <= c, c > 0; the result is at most `a`.
///
/// Long division with two digits of 32 bits (Knuth, TAOCP 2, 4.3.1, algorithm D). As b <= c, the
/// product's upper word is below c or the quotient is `a` itself.
#[inline(never)]
pub fn mul_div_floor(a: u64, b: u64, c: u64) -> u64 {
    if b == c {
        return a;
    }
    let (high, low) = wide_product(a, b);
    if high == 0 {
        return low / c;
    }
    let shift = c.leading_zeros();
    let divisor = c << shift;
    // high < c, so nothing is shifted out; a shift by 64 would be undefined.
    let carry = if shift == 0 { 0 } else { low >> (64 - shift) };
    let (high, low) = ((high << shift) | carry, low << shift);
    let (upper, rest) = digit(high, low >> 32, divisor);
    let (lower, _) = digit(rest, low & 0xffff_ffff, divisor);
    (upper << 32) | lower
}

#[inline(always)]
fn wide_product(a: u64, b: u64) -> (u64, u64) {
    let (a1, a0) = (a >> 32, a & 0xffff_ffff);
    let (b1, b0) = (b >> 32, b & 0xffff_ffff);
    let low = a0 * b0;
    let middle = a1 * b0 + (low >> 32);
    let other = a0 * b1 + (middle & 0xffff_ffff);
    let high = a1 * b1 + (middle >> 32) + (other >> 32);
    (high, (other << 32) | (low & 0xffff_ffff))
}

/// One digit of the quotient and what remains, for a divisor whose top bit is set.
#[inline(always)]
fn digit(rest: u64, next: u64, divisor: u64) -> (u64, u64) {
    let (d1, d0) = (divisor >> 32, divisor & 0xffff_ffff);
    let mut quotient = rest / d1;
    let mut remainder = rest - quotient * d1;
    // The estimate is at most two too large.
    while quotient >> 32 != 0 || quotient * d0 > (remainder << 32 | next) {
        quotient -= 1;
        remainder += d1;
        if remainder >> 32 != 0 {
            break;
        }
    }
    let value = (rest << 32 | next).wrapping_sub(quotient.wrapping_mul(divisor));
    (quotient, value)
}
