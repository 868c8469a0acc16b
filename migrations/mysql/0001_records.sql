-- Student records, as the newest message about each SRN left them. A deleted record stays as a tombstone, so that a
-- message older than its deletion cannot bring it back.
CREATE TABLE records (
    srn VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    name VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    section VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    version BIGINT NOT NULL,
    deleted BOOLEAN NOT NULL,
    updated_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (srn)
) ENGINE = InnoDB;
