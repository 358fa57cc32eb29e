//! Pools. Those on negative values show a padding that takes part.

use super::{Case, Chain};
use vgg_wgpu::Shape;
use vgg_wgpu::ops::{Padding, PoolKind};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in [PoolKind::Max, PoolKind::Average] {
        for (pool, stride) in [([2, 2], [2, 2]), ([3, 3], [2, 2]), ([3, 3], [1, 1]), ([2, 3], [3, 1])] {
            for padding in [Padding::Same, Padding::Valid] {
                for [h, w, c] in [[5, 7, 3], [14, 14, 16], [15, 13, 5]] {
                    cases.push(case(kind, pool, stride, padding, [h, w, c], 2));
                }
            }
        }
        for n in [1, 7] {
            cases.push(case(kind, [2, 2], [2, 2], Padding::Valid, [28, 28, 64], n));
        }
        cases.push(case(kind, [2, 2], [2, 2], Padding::Same, [1, 1, 4], 3));
        for padding in [Padding::Same, Padding::Valid] {
            cases.push(case(kind, [3, 3], [1_000_000_000; 2], padding, [5, 7, 3], 2));
        }
        cases.push(case(kind, [200, 300], [2, 2], Padding::Same, [5, 7, 3], 2));
        // Global: one window as large as the map.
        for [h, w, c] in [[7, 7, 512], [5, 3, 6], [1, 1, 9]] {
            cases.push(case(kind, [h, w], [1, 1], Padding::Valid, [h, w, c], 2));
        }
    }
    cases
}

/// Windows with more taps than a shader's loop may have steps, nearly all of them in the padding.
pub fn huge() -> Vec<Case> {
    let huge = |kind| case(kind, [1 << 29; 2], [2, 2], Padding::Same, [5, 7, 3], 2);
    vec![huge(PoolKind::Max), huge(PoolKind::Average)]
}

fn case(
    kind: PoolKind,
    pool: [usize; 2],
    stride: [usize; 2],
    padding: Padding,
    [h, w, c]: [usize; 3],
    n: usize,
) -> Case {
    let kind_name = if kind == PoolKind::Max { "max" } else { "average" };
    let padding_name = if padding == Padding::Same { "same" } else { "valid" };
    let [[ph, pw], [sh, sw]] = [pool, stride];
    let name = format!("pool2d/{kind_name}_{ph}x{pw}_s{sh}x{sw}_{padding_name}_{h}x{w}_c{c}_n{n}");
    Chain::new(name, Shape::Map { h, w, c }).pool2d(kind, pool, stride, padding).case_in(n, -2.0, -1.0)
}
