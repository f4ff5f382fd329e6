package verify

import (
	"hash/maphash"
	"sync"

	"penstock/sink/plan"
)

// buckets is into how many parts the rows of a place are divided, by the hash of the
// source row's key.
const buckets = 1 << 16

// digest is a hash of one entry: two of 64 bits, under independent seeds.
type digest [2]uint64

// hasher makes digests. Its seeds are of this run: what happens to be equal in one
// run, with odds of 2^-128 for each bucket that differs, is not in the next.
type hasher struct {
	row, bucket maphash.Seed
	second      maphash.Seed
}

func newHasher() *hasher {
	return &hasher{row: maphash.MakeSeed(), bucket: maphash.MakeSeed(), second: maphash.MakeSeed()}
}

func (h *hasher) bucketOf(key string) int { return int(maphash.String(h.bucket, key) % buckets) }

// text hashes a text.
func (h *hasher) text(s string) digest {
	return digest{maphash.String(h.row, s), maphash.String(h.second, s)}
}

// digest hashes an entry as a whole.
func (h *hasher) digest(e *entry) digest {
	var buffer [512]byte
	data := append(buffer[:0], byte(len(e.key)>>8), byte(len(e.key)))
	data = append(data, e.key...)
	for _, v := range e.values {
		data = plan.AppendValue(data, v)
	}
	if e.torn != "" {
		data = append(data, 0xff)
	}
	if e.unreadable != nil {
		data = append(data, 0xfe)
	}
	return digest{maphash.Bytes(h.row, data), maphash.Bytes(h.second, data)}
}

// sum is a checksum of any number of entries, in whatever order: their digests, added
// up modulo 2^64. What was added can be taken out again.
type sum struct {
	count int64
	total digest
}

func (s *sum) add(d digest) {
	s.count++
	s.total[0] += d[0]
	s.total[1] += d[1]
}

func (s *sum) take(d digest) {
	s.count--
	s.total[0] -= d[0]
	s.total[1] -= d[1]
}

func (s *sum) merge(other sum) {
	s.count += other.count
	s.total[0] += other.total[0]
	s.total[1] += other.total[1]
}

// stripes is how many locks a fold has.
const stripes = 64

// fold is the checksums of a place, bucket by bucket. It may be used concurrently.
type fold struct {
	locks  [stripes]sync.Mutex
	sums   []sum   // guarded by the bucket's lock, as is
	newest []int64 // the highest version and timestamp of each bucket
}

func newFold() *fold { return &fold{sums: make([]sum, buckets), newest: make([]int64, buckets)} }

func (f *fold) add(h *hasher, e *entry) {
	d, b := h.digest(e), h.bucketOf(e.key)
	f.locks[b%stripes].Lock()
	defer f.locks[b%stripes].Unlock()
	f.sums[b].add(d)
	f.newest[b] = max(f.newest[b], e.version, e.written)
}

// count is how many entries there are.
func (f *fold) count() int64 {
	var n int64
	for i := range f.sums {
		n += f.sums[i].count
	}
	return n
}

// set is some of the buckets.
type set []uint64

func newSet() set { return make(set, buckets/64) }

func (s set) add(b int)      { s[b/64] |= 1 << (b % 64) }
func (s set) has(b int) bool { return s[b/64]&(1<<(b%64)) != 0 }

func (s set) addAll() {
	for i := range s {
		s[i] = ^uint64(0)
	}
}

func (s set) empty() bool {
	for _, word := range s {
		if word != 0 {
			return false
		}
	}
	return true
}

// differing returns the buckets in which two folds of a place are not equal, or hold a
// version that is above clock, which no change can have.
func differing(want, got *fold, clock int64) set {
	out := newSet()
	for b := range want.sums {
		if want.sums[b] != got.sums[b] || got.newest[b] > clock {
			out.add(b)
		}
	}
	return out
}
