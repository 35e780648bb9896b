//! What an allocation really takes: the size class that the allocator rounds a request up to. A model, so
//! that memory is counted the same on every machine and two servers in one process do not see each other; it
//! never asks the allocator.

/// The bytes that an allocation of `requested` bytes takes, by the size classes of mimalloc: 8, then steps of
/// 16 up to 128, then four classes for each doubling, and whole slices for what is larger than any class.
pub const fn allocation_bytes(requested: usize) -> usize {
    match requested {
        0 => 0,
        1..=8 => 8,
        9..=128 => requested.next_multiple_of(16),
        129..=CLASS_BYTES_MAX => requested.next_multiple_of(requested.next_power_of_two() / 8),
        _ if requested > usize::MAX - SLICE_BYTES => requested,
        _ => requested.next_multiple_of(SLICE_BYTES),
    }
}

const CLASS_BYTES_MAX: usize = 512 * 1024;
const SLICE_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_round_up_to_the_classes() {
        let classes = [
            8, 16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024,
            1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096, 5120, 6144, 7168, 8192, 10240,
        ];
        let mut smallest = 1;
        for class in classes {
            assert_eq!(allocation_bytes(smallest), class);
            assert_eq!(allocation_bytes(class), class);
            smallest = class + 1;
        }
        assert_eq!(allocation_bytes(0), 0);
        assert_eq!(allocation_bytes(512 * 1024 + 1), 576 * 1024);
        assert_eq!(allocation_bytes(usize::MAX), usize::MAX);
    }
}
