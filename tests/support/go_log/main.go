// The oracle of the ledger: trees and notes by golang.org/x/mod, checkpoints, cosignatures and receipts by
// github.com/transparency-dev/formats. Reads one JSON request from standard input, writes one JSON answer.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"

	"github.com/transparency-dev/formats/log"
	tdnote "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type request struct {
	Entries     string // file: each entry after its length, 4 bytes big-endian
	Sizes       []int64
	Inclusion   [][2]int64 // index, size
	Consistency [][2]int64 // smaller size, larger size
	Tiles       [][3]int64 // level, index, width
	Sign        *signing
	Open        *opening
	Receipt     []byte
}

type signing struct {
	Origin, LogKey, CosignerKey string
	Size                        uint64
	Root                        []byte
}

type opening struct {
	Note                          []byte
	Origin, LogVkey, CosignerVkey string
}

type opened struct {
	Origin     string
	Size       uint64
	Root       []byte
	Signatures int   // those that a known key made
	Time       int64 // of the cosignature, POSIX seconds
}

type receipt struct {
	Index      uint64
	Hashes     [][]byte
	Checkpoint []byte
	Extra      []byte
	Again      []byte // the same receipt, written
}

type answer struct {
	Roots       [][]byte
	Inclusion   [][][]byte
	Consistency [][][]byte
	Tiles       [][]byte
	Signed      []byte
	Opened      *opened
	Receipt     *receipt
}

func main() {
	var asked request
	must(json.NewDecoder(os.Stdin).Decode(&asked))
	var told answer
	if asked.Entries != "" {
		trees(asked, &told)
	}
	if asked.Sign != nil {
		told.Signed = sign(*asked.Sign)
	}
	if asked.Open != nil {
		told.Opened = open(*asked.Open)
	}
	if asked.Receipt != nil {
		told.Receipt = read(asked.Receipt)
	}
	must(json.NewEncoder(os.Stdout).Encode(told))
}

func trees(asked request, told *answer) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			found[i] = stored[index]
		}
		return found, nil
	})
	entries := value(os.ReadFile(asked.Entries))
	for n := int64(0); len(entries) > 0; n++ {
		size := binary.BigEndian.Uint32(entries)
		stored = append(stored, value(tlog.StoredHashes(n, entries[4:4+size], reader))...)
		entries = entries[4+size:]
	}
	for _, size := range asked.Sizes {
		root := value(tlog.TreeHash(size, reader))
		told.Roots = append(told.Roots, root[:])
	}
	for _, pair := range asked.Inclusion {
		told.Inclusion = append(told.Inclusion, plain(value(tlog.ProveRecord(pair[1], pair[0], reader))))
	}
	for _, pair := range asked.Consistency {
		told.Consistency = append(told.Consistency, plain(value(tlog.ProveTree(pair[1], pair[0], reader))))
	}
	for _, tile := range asked.Tiles {
		named := tlog.Tile{H: 8, L: int(tile[0]), N: tile[1], W: int(tile[2])}
		told.Tiles = append(told.Tiles, value(tlog.ReadTileData(named, reader)))
	}
}

func sign(asked signing) []byte {
	text := log.Checkpoint{Origin: asked.Origin, Size: asked.Size, Hash: asked.Root}.Marshal()
	logKey := value(note.NewSigner(asked.LogKey))
	cosigner := value(tdnote.NewSignerForCosignatureV1(asked.CosignerKey))
	return value(note.Sign(&note.Note{Text: string(text)}, logKey, cosigner))
}

func open(asked opening) *opened {
	logKey := value(note.NewVerifier(asked.LogVkey))
	cosigner := value(tdnote.NewVerifierForCosignatureV1(asked.CosignerVkey))
	checkpoint, _, read, err := log.ParseCheckpoint(asked.Note, asked.Origin, logKey, cosigner)
	must(err)
	told := opened{checkpoint.Origin, checkpoint.Size, checkpoint.Hash, len(read.Sigs), 0}
	for _, signature := range read.Sigs {
		if signature.Hash == cosigner.KeyHash() {
			told.Time = value(tdnote.CoSigV1Timestamp(signature)).Unix()
		}
	}
	return &told
}

func read(data []byte) *receipt {
	var parsed proof.TLogProof
	must(parsed.Unmarshal(data))
	told := receipt{parsed.Index, nil, parsed.Checkpoint, parsed.ExtraData, parsed.Marshal()}
	for _, hash := range parsed.Hashes {
		told.Hashes = append(told.Hashes, bytes.Clone(hash[:]))
	}
	return &told
}

func plain(hashes []tlog.Hash) [][]byte {
	plain := [][]byte{}
	for _, hash := range hashes {
		plain = append(plain, hash[:])
	}
	return plain
}

func value[T any](found T, err error) T {
	must(err)
	return found
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
