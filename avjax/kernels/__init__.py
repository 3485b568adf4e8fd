"""Operations with several implementations, one folder each."""
